"""What the results of a city rest on: its images' rights and dates, and which areas they cover."""
