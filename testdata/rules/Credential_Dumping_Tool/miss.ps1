# see the notes on privilege::debug
Get-Credential
