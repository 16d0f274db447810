"""Writers of the list: CSV and XLSX for Excel in Denmark, and a page to print."""
