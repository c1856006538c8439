param([string]$To)
$c = New-Object System.Net.WebClient
$c.DownloadFile('http://files.example.invalid/a.txt', $To)
Write-Host "done $To"
