Get-ADUser -Filter * | Export-Csv users.csv
# CollectionMethod: none
