reg save HKCU\Software\Example a.hiv
reg query HKLM\SYSTEM
