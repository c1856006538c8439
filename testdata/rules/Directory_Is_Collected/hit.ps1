Import-Module .\SharpHound.ps1
Invoke-X -CollectionMethod All
