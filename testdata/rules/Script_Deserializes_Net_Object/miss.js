var f = new ActiveXObject("System.Text.ASCIIEncoding");
var d = f.GetBytes_4("x");
