"""From a question to its result: context, coverage, evaluation, breakdown, trace."""
