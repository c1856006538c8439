Get-MpComputerStatus | Select-Object RealTimeProtectionEnabled
Update-MpSignature
