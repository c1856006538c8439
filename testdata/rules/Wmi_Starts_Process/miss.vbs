Set w = GetObject("winmgmts:\\.\root\cimv2")
For Each d In w.ExecQuery("SELECT FreeSpace FROM Win32_LogicalDisk")
  WScript.Echo d.FreeSpace
Next
