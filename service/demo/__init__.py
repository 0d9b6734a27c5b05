"""The demo study, chapter by chapter. Its people, places, dates and numbers are made up."""
