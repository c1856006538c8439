# VirtualAlloc is explained in the handbook
Get-Process | Sort-Object Name
[System.Runtime.InteropServices.Marshal]::Copy($a, 0, $b, 1)
