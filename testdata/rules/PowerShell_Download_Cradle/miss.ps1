$page = Invoke-WebRequest -Uri 'https://intranet.example.invalid/rates.csv' -OutFile rates.csv
Import-Csv rates.csv | Export-Excel report.xlsx
