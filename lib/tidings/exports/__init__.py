"""Files made from a finished run: PDF, spreadsheet, CSV."""
