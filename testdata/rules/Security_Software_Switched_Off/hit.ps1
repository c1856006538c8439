Set-MpPreference -DisableRealtimeMonitoring $true
