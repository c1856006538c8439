procdump -ma viewer.exe a.dmp
tasklist /fi "imagename eq lsass.exe"
