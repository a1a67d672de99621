"""Tidings: an analytics workbook for a small digital business."""
