//! Functions and commands of formulas by number: Ftab and Cetab ([MS-XLS] 2.5.198.17, 2.5.198.4; the same numbers in
//! [MS-XLSB] 2.5.97.10).

/// Arguments of a function that takes more or fewer.
const ANY: u8 = 255;

/// Functions of any sheet.
#[rustfmt::skip]
const WORKSHEET: &[(u16, &str, u8)] = &[
    (0, "COUNT", ANY), (1, "IF", ANY), (2, "ISNA", 1), (3, "ISERROR", 1), (4, "SUM", ANY), (5, "AVERAGE", ANY), (6, "MIN", ANY), (7, "MAX", ANY),
    (8, "ROW", ANY), (9, "COLUMN", ANY), (10, "NA", 0), (11, "NPV", ANY), (12, "STDEV", ANY), (13, "DOLLAR", ANY), (14, "FIXED", ANY), (15, "SIN", 1),
    (16, "COS", 1), (17, "TAN", 1), (18, "ATAN", 1), (19, "PI", 0), (20, "SQRT", 1), (21, "EXP", 1), (22, "LN", 1), (23, "LOG10", 1), (24, "ABS", 1),
    (25, "INT", 1), (26, "SIGN", 1), (27, "ROUND", 2), (28, "LOOKUP", ANY), (29, "INDEX", ANY), (30, "REPT", 2), (31, "MID", 3), (32, "LEN", 1),
    (33, "VALUE", 1), (34, "TRUE", 0), (35, "FALSE", 0), (36, "AND", ANY), (37, "OR", ANY), (38, "NOT", 1), (39, "MOD", 2), (40, "DCOUNT", 3),
    (41, "DSUM", 3), (42, "DAVERAGE", 3), (43, "DMIN", 3), (44, "DMAX", 3), (45, "DSTDEV", 3), (46, "VAR", ANY), (47, "DVAR", 3), (48, "TEXT", 2),
    (49, "LINEST", ANY), (50, "TREND", ANY), (51, "LOGEST", ANY), (52, "GROWTH", ANY), (56, "PV", ANY), (57, "FV", ANY), (58, "NPER", ANY),
    (59, "PMT", ANY), (60, "RATE", ANY), (61, "MIRR", 3), (62, "IRR", ANY), (63, "RAND", 0), (64, "MATCH", ANY), (65, "DATE", 3), (66, "TIME", 3),
    (67, "DAY", 1), (68, "MONTH", 1), (69, "YEAR", 1), (70, "WEEKDAY", ANY), (71, "HOUR", 1), (72, "MINUTE", 1), (73, "SECOND", 1), (74, "NOW", 0),
    (75, "AREAS", 1), (76, "ROWS", 1), (77, "COLUMNS", 1), (78, "OFFSET", ANY), (81, "ARGUMENT", ANY), (82, "SEARCH", ANY), (83, "TRANSPOSE", 1),
    (86, "TYPE", 1), (92, "SERIES", 4), (93, "DOCUMENTS", ANY), (97, "ATAN2", 2), (98, "ASIN", 1), (99, "ACOS", 1), (100, "CHOOSE", ANY),
    (101, "HLOOKUP", ANY), (102, "VLOOKUP", ANY), (105, "ISREF", 1), (109, "LOG", ANY), (111, "CHAR", 1), (112, "LOWER", 1), (113, "UPPER", 1),
    (114, "PROPER", 1), (115, "LEFT", ANY), (116, "RIGHT", ANY), (117, "EXACT", 2), (118, "TRIM", 1), (119, "REPLACE", 4), (120, "SUBSTITUTE", ANY),
    (121, "CODE", 1), (124, "FIND", ANY), (125, "CELL", ANY), (126, "ISERR", 1), (127, "ISTEXT", 1), (128, "ISNUMBER", 1), (129, "ISBLANK", 1),
    (130, "T", 1), (131, "N", 1), (140, "DATEVALUE", 1), (141, "TIMEVALUE", 1), (142, "SLN", 3), (143, "SYD", 4), (144, "DDB", ANY),
    (148, "INDIRECT", ANY), (162, "CLEAN", 1), (163, "MDETERM", 1), (164, "MINVERSE", 1), (165, "MMULT", 2), (167, "IPMT", ANY), (168, "PPMT", ANY),
    (169, "COUNTA", ANY), (183, "PRODUCT", ANY), (184, "FACT", 1), (189, "DPRODUCT", 3), (190, "ISNONTEXT", 1), (193, "STDEVP", ANY),
    (194, "VARP", ANY), (195, "DSTDEVP", 3), (196, "DVARP", 3), (197, "TRUNC", ANY), (198, "ISLOGICAL", 1), (199, "DCOUNTA", 3),
    (204, "USDOLLAR", ANY), (205, "FINDB", ANY), (206, "SEARCHB", ANY), (207, "REPLACEB", 4), (208, "LEFTB", ANY), (209, "RIGHTB", ANY),
    (210, "MIDB", 3), (211, "LENB", 1), (212, "ROUNDUP", 2), (213, "ROUNDDOWN", 2), (214, "ASC", 1), (215, "DBCS", 1), (216, "RANK", ANY),
    (219, "ADDRESS", ANY), (220, "DAYS360", ANY), (221, "TODAY", 0), (222, "VDB", ANY), (227, "MEDIAN", ANY), (228, "SUMPRODUCT", ANY),
    (229, "SINH", 1), (230, "COSH", 1), (231, "TANH", 1), (232, "ASINH", 1), (233, "ACOSH", 1), (234, "ATANH", 1), (235, "DGET", 3), (244, "INFO", 1),
    (247, "DB", ANY), (252, "FREQUENCY", 2), (261, "ERROR.TYPE", 1), (269, "AVEDEV", ANY), (270, "BETADIST", ANY), (271, "GAMMALN", 1),
    (272, "BETAINV", ANY), (273, "BINOMDIST", 4), (274, "CHIDIST", 2), (275, "CHIINV", 2), (276, "COMBIN", 2), (277, "CONFIDENCE", 3),
    (278, "CRITBINOM", 3), (279, "EVEN", 1), (280, "EXPONDIST", 3), (281, "FDIST", 3), (282, "FINV", 3), (283, "FISHER", 1), (284, "FISHERINV", 1),
    (285, "FLOOR", 2), (286, "GAMMADIST", 4), (287, "GAMMAINV", 3), (288, "CEILING", 2), (289, "HYPGEOMDIST", 4), (290, "LOGNORMDIST", 3),
    (291, "LOGINV", 3), (292, "NEGBINOMDIST", 3), (293, "NORMDIST", 4), (294, "NORMSDIST", 1), (295, "NORMINV", 3), (296, "NORMSINV", 1),
    (297, "STANDARDIZE", 3), (298, "ODD", 1), (299, "PERMUT", 2), (300, "POISSON", 3), (301, "TDIST", 3), (302, "WEIBULL", 4), (303, "SUMXMY2", 2),
    (304, "SUMX2MY2", 2), (305, "SUMX2PY2", 2), (306, "CHITEST", 2), (307, "CORREL", 2), (308, "COVAR", 2), (309, "FORECAST", 3), (310, "FTEST", 2),
    (311, "INTERCEPT", 2), (312, "PEARSON", 2), (313, "RSQ", 2), (314, "STEYX", 2), (315, "SLOPE", 2), (316, "TTEST", 4), (317, "PROB", ANY),
    (318, "DEVSQ", ANY), (319, "GEOMEAN", ANY), (320, "HARMEAN", ANY), (321, "SUMSQ", ANY), (322, "KURT", ANY), (323, "SKEW", ANY),
    (324, "ZTEST", ANY), (325, "LARGE", 2), (326, "SMALL", 2), (327, "QUARTILE", 2), (328, "PERCENTILE", 2), (329, "PERCENTRANK", ANY),
    (330, "MODE", ANY), (331, "TRIMMEAN", 2), (332, "TINV", 2), (336, "CONCATENATE", ANY), (337, "POWER", 2), (342, "RADIANS", 1),
    (343, "DEGREES", 1), (344, "SUBTOTAL", ANY), (345, "SUMIF", ANY), (346, "COUNTIF", 2), (347, "COUNTBLANK", 1), (350, "ISPMT", 4),
    (351, "DATEDIF", 3), (352, "DATESTRING", 1), (353, "NUMBERSTRING", 2), (354, "ROMAN", ANY), (358, "GETPIVOTDATA", 2), (359, "HYPERLINK", ANY),
    (360, "PHONETIC", 1), (361, "AVERAGEA", ANY), (362, "MAXA", ANY), (363, "MINA", ANY), (364, "STDEVPA", ANY), (365, "VARPA", ANY),
    (366, "STDEVA", ANY), (367, "VARA", ANY), (368, "BAHTTEXT", 1), (369, "THAIDAYOFWEEK", 1), (370, "THAIDIGIT", 1), (371, "THAIMONTHOFYEAR", 1),
    (372, "THAINUMSOUND", 1), (373, "THAINUMSTRING", 1), (374, "THAISTRINGLENGTH", 1), (375, "ISTHAIDIGIT", 1), (376, "ROUNDBAHTDOWN", 1),
    (377, "ROUNDBAHTUP", 1), (378, "THAIYEAR", 1), (379, "RTD", ANY), (480, "IFERROR", 2),
];

/// Functions of macro sheets alone.
#[rustfmt::skip]
const MACRO: &[(u16, &str, u8)] = &[
    (53, "GOTO", 1), (54, "HALT", ANY), (55, "RETURN", ANY), (79, "ABSREF", 2), (80, "RELREF", 2), (84, "ERROR", ANY), (85, "STEP", 0),
    (87, "ECHO", ANY), (88, "SET.NAME", ANY), (89, "CALLER", 0), (90, "DEREF", 1), (91, "WINDOWS", ANY), (94, "ACTIVE.CELL", 0), (95, "SELECTION", 0),
    (96, "RESULT", ANY), (103, "LINKS", ANY), (104, "INPUT", ANY), (106, "GET.FORMULA", 1), (107, "GET.NAME", ANY), (108, "SET.VALUE", 2),
    (110, "EXEC", ANY), (122, "NAMES", ANY), (123, "DIRECTORY", ANY), (132, "FOPEN", ANY), (133, "FCLOSE", 1), (134, "FSIZE", 1), (135, "FREADLN", 1),
    (136, "FREAD", 1), (137, "FWRITELN", 2), (138, "FWRITE", 2), (139, "FPOS", ANY), (145, "GET.DEF", ANY), (146, "REFTEXT", ANY),
    (147, "TEXTREF", ANY), (149, "REGISTER", ANY), (150, "CALL", ANY), (151, "ADD.BAR", ANY), (152, "ADD.MENU", ANY), (153, "ADD.COMMAND", ANY),
    (154, "ENABLE.COMMAND", ANY), (155, "CHECK.COMMAND", ANY), (156, "RENAME.COMMAND", ANY), (157, "SHOW.BAR", 1), (158, "DELETE.MENU", ANY),
    (159, "DELETE.COMMAND", ANY), (160, "GET.CHART.ITEM", ANY), (161, "DIALOG.BOX", 1), (166, "FILES", ANY), (170, "CANCEL.KEY", ANY),
    (171, "FOR", ANY), (172, "WHILE", 1), (173, "BREAK", 0), (174, "NEXT", 0), (175, "INITIATE", 2), (176, "REQUEST", 2), (177, "POKE", 3),
    (178, "EXECUTE", 2), (179, "TERMINATE", 1), (180, "RESTART", 1), (181, "HELP", 1), (182, "GET.BAR", ANY), (185, "GET.CELL", ANY),
    (186, "GET.WORKSPACE", 1), (187, "GET.WINDOW", ANY), (188, "GET.DOCUMENT", ANY), (191, "GET.NOTE", ANY), (192, "NOTE", ANY),
    (200, "DELETE.BAR", 1), (201, "UNREGISTER", 1), (223, "ELSE", 0), (224, "ELSE.IF", 1), (225, "END.IF", 0), (226, "FOR.CELL", ANY),
    (236, "CREATE.OBJECT", ANY), (237, "VOLATILE", 1), (238, "LAST.ERROR", 0), (239, "CUSTOM.UNDO", ANY), (240, "CUSTOM.REPEAT", ANY),
    (241, "FORMULA.CONVERT", ANY), (242, "GET.LINK.INFO", ANY), (243, "TEXT.BOX", ANY), (245, "GROUP", 0), (246, "GET.OBJECT", ANY),
    (248, "PAUSE", ANY), (251, "RESUME", 1), (253, "ADD.TOOLBAR", ANY), (254, "DELETE.TOOLBAR", 1), (256, "RESET.TOOLBAR", 1), (257, "EVALUATE", 1),
    (258, "GET.TOOLBAR", 2), (259, "GET.TOOL", ANY), (260, "SPELLING.CHECK", ANY), (262, "APP.TITLE", 1), (263, "WINDOW.TITLE", 1),
    (264, "SAVE.TOOLBAR", ANY), (265, "ENABLE.TOOL", 3), (266, "PRESS.TOOL", 3), (267, "REGISTER.ID", 3), (268, "GET.WORKBOOK", ANY),
    (334, "MOVIE.COMMAND", ANY), (335, "GET.MOVIE", ANY), (338, "PIVOT.ADD.DATA", ANY), (339, "GET.PIVOT.TABLE", ANY), (340, "GET.PIVOT.FIELD", ANY),
    (341, "GET.PIVOT.ITEM", ANY), (348, "SCENARIO.GET", ANY), (349, "OPTIONS.LISTS.GET", 1), (355, "OPEN.DIALOG", ANY), (356, "SAVE.DIALOG", ANY),
    (357, "VIEW.GET", ANY),
];

/// Commands ([MS-XLS] 2.5.198.4).
#[rustfmt::skip]
const COMMANDS: &[(u16, &str)] = &[
    (0, "BEEP"), (1, "OPEN"), (2, "OPEN.LINKS"), (3, "CLOSE.ALL"), (4, "SAVE"), (5, "SAVE.AS"), (6, "FILE.DELETE"), (7, "PAGE.SETUP"), (8, "PRINT"),
    (9, "PRINTER.SETUP"), (10, "QUIT"), (11, "NEW.WINDOW"), (12, "ARRANGE.ALL"), (13, "WINDOW.SIZE"), (14, "WINDOW.MOVE"), (15, "FULL"),
    (16, "CLOSE"), (17, "RUN"), (22, "SET.PRINT.AREA"), (23, "SET.PRINT.TITLES"), (24, "SET.PAGE.BREAK"), (25, "REMOVE.PAGE.BREAK"), (26, "FONT"),
    (27, "DISPLAY"), (28, "PROTECT.DOCUMENT"), (29, "PRECISION"), (30, "A1.R1C1"), (31, "CALCULATE.NOW"), (32, "CALCULATION"), (34, "DATA.FIND"),
    (35, "EXTRACT"), (36, "DATA.DELETE"), (37, "SET.DATABASE"), (38, "SET.CRITERIA"), (39, "SORT"), (40, "DATA.SERIES"), (41, "TABLE"),
    (42, "FORMAT.NUMBER"), (43, "ALIGNMENT"), (44, "STYLE"), (45, "BORDER"), (46, "CELL.PROTECTION"), (47, "COLUMN.WIDTH"), (48, "UNDO"), (49, "CUT"),
    (50, "COPY"), (51, "PASTE"), (52, "CLEAR"), (53, "PASTE.SPECIAL"), (54, "EDIT.DELETE"), (55, "INSERT"), (56, "FILL.RIGHT"), (57, "FILL.DOWN"),
    (61, "DEFINE.NAME"), (62, "CREATE.NAMES"), (63, "FORMULA.GOTO"), (64, "FORMULA.FIND"), (65, "SELECT.LAST.CELL"), (66, "SHOW.ACTIVE.CELL"),
    (67, "GALLERY.AREA"), (68, "GALLERY.BAR"), (69, "GALLERY.COLUMN"), (70, "GALLERY.LINE"), (71, "GALLERY.PIE"), (72, "GALLERY.SCATTER"),
    (73, "COMBINATION"), (74, "PREFERRED"), (75, "ADD.OVERLAY"), (76, "GRIDLINES"), (77, "SET.PREFERRED"), (78, "AXES"), (79, "LEGEND"),
    (80, "ATTACH.TEXT"), (81, "ADD.ARROW"), (82, "SELECT.CHART"), (83, "SELECT.PLOT.AREA"), (84, "PATTERNS"), (85, "MAIN.CHART"), (86, "OVERLAY"),
    (87, "SCALE"), (88, "FORMAT.LEGEND"), (89, "FORMAT.TEXT"), (90, "EDIT.REPEAT"), (91, "PARSE"), (92, "JUSTIFY"), (93, "HIDE"), (94, "UNHIDE"),
    (95, "WORKSPACE"), (96, "FORMULA"), (97, "FORMULA.FILL"), (98, "FORMULA.ARRAY"), (99, "DATA.FIND.NEXT"), (100, "DATA.FIND.PREV"),
    (101, "FORMULA.FIND.NEXT"), (102, "FORMULA.FIND.PREV"), (103, "ACTIVATE"), (104, "ACTIVATE.NEXT"), (105, "ACTIVATE.PREV"), (106, "UNLOCKED.NEXT"),
    (107, "UNLOCKED.PREV"), (108, "COPY.PICTURE"), (109, "SELECT"), (110, "DELETE.NAME"), (111, "DELETE.FORMAT"), (112, "VLINE"), (113, "HLINE"),
    (114, "VPAGE"), (115, "HPAGE"), (116, "VSCROLL"), (117, "HSCROLL"), (118, "ALERT"), (119, "NEW"), (120, "CANCEL.COPY"), (121, "SHOW.CLIPBOARD"),
    (122, "MESSAGE"), (124, "PASTE.LINK"), (125, "APP.ACTIVATE"), (126, "DELETE.ARROW"), (127, "ROW.HEIGHT"), (128, "FORMAT.MOVE"),
    (129, "FORMAT.SIZE"), (130, "FORMULA.REPLACE"), (131, "SEND.KEYS"), (132, "SELECT.SPECIAL"), (133, "APPLY.NAMES"), (134, "REPLACE.FONT"),
    (135, "FREEZE.PANES"), (136, "SHOW.INFO"), (137, "SPLIT"), (138, "ON.WINDOW"), (139, "ON.DATA"), (140, "DISABLE.INPUT"), (142, "OUTLINE"),
    (143, "LIST.NAMES"), (144, "FILE.CLOSE"), (145, "SAVE.WORKBOOK"), (146, "DATA.FORM"), (147, "COPY.CHART"), (148, "ON.TIME"), (149, "WAIT"),
    (150, "FORMAT.FONT"), (151, "FILL.UP"), (152, "FILL.LEFT"), (153, "DELETE.OVERLAY"), (155, "SHORT.MENUS"), (159, "SET.UPDATE.STATUS"),
    (161, "COLOR.PALETTE"), (162, "DELETE.STYLE"), (163, "WINDOW.RESTORE"), (164, "WINDOW.MAXIMIZE"), (166, "CHANGE.LINK"),
    (167, "CALCULATE.DOCUMENT"), (168, "ON.KEY"), (169, "APP.RESTORE"), (170, "APP.MOVE"), (171, "APP.SIZE"), (172, "APP.MINIMIZE"),
    (173, "APP.MAXIMIZE"), (174, "BRING.TO.FRONT"), (175, "SEND.TO.BACK"), (185, "MAIN.CHART.TYPE"), (186, "OVERLAY.CHART.TYPE"), (187, "SELECT.END"),
    (188, "OPEN.MAIL"), (189, "SEND.MAIL"), (190, "STANDARD.FONT"), (191, "CONSOLIDATE"), (192, "SORT.SPECIAL"), (193, "GALLERY.3D.AREA"),
    (194, "GALLERY.3D.COLUMN"), (195, "GALLERY.3D.LINE"), (196, "GALLERY.3D.PIE"), (197, "VIEW.3D"), (198, "GOAL.SEEK"), (199, "WORKGROUP"),
    (200, "FILL.GROUP"), (201, "UPDATE.LINK"), (202, "PROMOTE"), (203, "DEMOTE"), (204, "SHOW.DETAIL"), (206, "UNGROUP"), (207, "OBJECT.PROPERTIES"),
    (208, "SAVE.NEW.OBJECT"), (209, "SHARE"), (210, "SHARE.NAME"), (211, "DUPLICATE"), (212, "APPLY.STYLE"), (213, "ASSIGN.TO.OBJECT"),
    (214, "OBJECT.PROTECTION"), (215, "HIDE.OBJECT"), (216, "SET.EXTRACT"), (217, "CREATE.PUBLISHER"), (218, "SUBSCRIBE.TO"), (219, "ATTRIBUTES"),
    (220, "SHOW.TOOLBAR"), (222, "PRINT.PREVIEW"), (223, "EDIT.COLOR"), (224, "SHOW.LEVELS"), (225, "FORMAT.MAIN"), (226, "FORMAT.OVERLAY"),
    (227, "ON.RECALC"), (228, "EDIT.SERIES"), (229, "DEFINE.STYLE"), (240, "LINE.PRINT"), (243, "ENTER.DATA"), (249, "GALLERY.RADAR"),
    (250, "MERGE.STYLES"), (251, "EDITION.OPTIONS"), (252, "PASTE.PICTURE"), (253, "PASTE.PICTURE.LINK"), (254, "SPELLING"), (256, "ZOOM"),
    (259, "INSERT.OBJECT"), (260, "WINDOW.MINIMIZE"), (265, "SOUND.NOTE"), (266, "SOUND.PLAY"), (267, "FORMAT.SHAPE"), (268, "EXTEND.POLYGON"),
    (269, "FORMAT.AUTO"), (272, "GALLERY.3D.BAR"), (273, "GALLERY.3D.SURFACE"), (274, "FILL.AUTO"), (276, "CUSTOMIZE.TOOLBAR"), (277, "ADD.TOOL"),
    (278, "EDIT.OBJECT"), (279, "ON.DOUBLECLICK"), (280, "ON.ENTRY"), (281, "WORKBOOK.ADD"), (282, "WORKBOOK.MOVE"), (283, "WORKBOOK.COPY"),
    (284, "WORKBOOK.OPTIONS"), (285, "SAVE.WORKSPACE"), (288, "CHART.WIZARD"), (289, "DELETE.TOOL"), (290, "MOVE.TOOL"), (291, "WORKBOOK.SELECT"),
    (292, "WORKBOOK.ACTIVATE"), (293, "ASSIGN.TO.TOOL"), (295, "COPY.TOOL"), (296, "RESET.TOOL"), (297, "CONSTRAIN.NUMERIC"), (298, "PASTE.TOOL"),
    (302, "WORKBOOK.NEW"), (305, "SCENARIO.CELLS"), (306, "SCENARIO.DELETE"), (307, "SCENARIO.ADD"), (308, "SCENARIO.EDIT"), (309, "SCENARIO.SHOW"),
    (310, "SCENARIO.SHOW.NEXT"), (311, "SCENARIO.SUMMARY"), (312, "PIVOT.TABLE.WIZARD"), (313, "PIVOT.FIELD.PROPERTIES"), (314, "PIVOT.FIELD"),
    (315, "PIVOT.ITEM"), (316, "PIVOT.ADD.FIELDS"), (318, "OPTIONS.CALCULATION"), (319, "OPTIONS.EDIT"), (320, "OPTIONS.VIEW"),
    (321, "ADDIN.MANAGER"), (322, "MENU.EDITOR"), (323, "ATTACH.TOOLBARS"), (324, "VBAActivate"), (325, "OPTIONS.CHART"), (328, "VBA.INSERT.FILE"),
    (330, "VBA.PROCEDURE.DEFINITION"), (336, "ROUTING.SLIP"), (338, "ROUTE.DOCUMENT"), (339, "MAIL.LOGON"), (342, "INSERT.PICTURE"),
    (343, "EDIT.TOOL"), (344, "GALLERY.DOUGHNUT"), (350, "CHART.TREND"), (352, "PIVOT.ITEM.PROPERTIES"), (354, "WORKBOOK.INSERT"),
    (355, "OPTIONS.TRANSITION"), (356, "OPTIONS.GENERAL"), (370, "FILTER.ADVANCED"), (373, "MAIL.ADD.MAILER"), (374, "MAIL.DELETE.MAILER"),
    (375, "MAIL.REPLY"), (376, "MAIL.REPLY.ALL"), (377, "MAIL.FORWARD"), (378, "MAIL.NEXT.LETTER"), (379, "DATA.LABEL"), (380, "INSERT.TITLE"),
    (381, "FONT.PROPERTIES"), (382, "MACRO.OPTIONS"), (383, "WORKBOOK.HIDE"), (384, "WORKBOOK.UNHIDE"), (385, "WORKBOOK.DELETE"),
    (386, "WORKBOOK.NAME"), (388, "GALLERY.CUSTOM"), (390, "ADD.CHART.AUTOFORMAT"), (391, "DELETE.CHART.AUTOFORMAT"), (392, "CHART.ADD.DATA"),
    (393, "AUTO.OUTLINE"), (394, "TAB.ORDER"), (395, "SHOW.DIALOG"), (396, "SELECT.ALL"), (397, "UNGROUP.SHEETS"), (398, "SUBTOTAL.CREATE"),
    (399, "SUBTOTAL.REMOVE"), (400, "RENAME.OBJECT"), (412, "WORKBOOK.SCROLL"), (413, "WORKBOOK.NEXT"), (414, "WORKBOOK.PREV"),
    (415, "WORKBOOK.TAB.SPLIT"), (416, "FULL.SCREEN"), (417, "WORKBOOK.PROTECT"), (420, "SCROLLBAR.PROPERTIES"), (421, "PIVOT.SHOW.PAGES"),
    (422, "TEXT.TO.COLUMNS"), (423, "FORMAT.CHARTTYPE"), (424, "LINK.FORMAT"), (425, "TRACER.DISPLAY"), (430, "TRACER.NAVIGATE"),
    (431, "TRACER.CLEAR"), (432, "TRACER.ERROR"), (433, "PIVOT.FIELD.GROUP"), (434, "PIVOT.FIELD.UNGROUP"), (435, "CHECKBOX.PROPERTIES"),
    (436, "LABEL.PROPERTIES"), (437, "LISTBOX.PROPERTIES"), (438, "EDITBOX.PROPERTIES"), (439, "PIVOT.REFRESH"), (440, "LINK.COMBO"),
    (441, "OPEN.TEXT"), (442, "HIDE.DIALOG"), (443, "SET.DIALOG.FOCUS"), (444, "ENABLE.OBJECT"), (445, "PUSHBUTTON.PROPERTIES"),
    (446, "SET.DIALOG.DEFAULT"), (447, "FILTER"), (448, "FILTER.SHOW.ALL"), (449, "CLEAR.OUTLINE"), (450, "FUNCTION.WIZARD"), (451, "ADD.LIST.ITEM"),
    (452, "SET.LIST.ITEM"), (453, "REMOVE.LIST.ITEM"), (454, "SELECT.LIST.ITEM"), (455, "SET.CONTROL.VALUE"), (456, "SAVE.COPY.AS"),
    (458, "OPTIONS.LISTS.ADD"), (459, "OPTIONS.LISTS.DELETE"), (460, "SERIES.AXES"), (461, "SERIES.X"), (462, "SERIES.Y"), (463, "ERRORBAR.X"),
    (464, "ERRORBAR.Y"), (465, "FORMAT.CHART"), (466, "SERIES.ORDER"), (467, "MAIL.LOGOFF"), (468, "CLEAR.ROUTING.SLIP"),
    (469, "APP.ACTIVATE.MICROSOFT"), (470, "MAIL.EDIT.MAILER"), (471, "ON.SHEET"), (472, "STANDARD.WIDTH"), (473, "SCENARIO.MERGE"),
    (474, "SUMMARY.INFO"), (475, "FIND.FILE"), (476, "ACTIVE.CELL.FONT"), (477, "ENABLE.TIPWIZARD"), (478, "VBA.MAKE.ADDIN"),
    (480, "INSERTDATATABLE"), (481, "WORKGROUP.OPTIONS"), (482, "MAIL.SEND.MAILER"), (485, "AUTOCORRECT"), (489, "POST.DOCUMENT"), (491, "PICKLIST"),
    (493, "VIEW.SHOW"), (494, "VIEW.DEFINE"), (495, "VIEW.DELETE"), (509, "SHEET.BACKGROUND"), (510, "INSERT.MAP.OBJECT"), (511, "OPTIONS.MENONO"),
    (517, "MSOCHECKS"), (518, "NORMAL"), (519, "LAYOUT"), (520, "RM.PRINT.AREA"), (521, "CLEAR.PRINT.AREA"), (522, "ADD.PRINT.AREA"),
    (523, "MOVE.BRK"), (545, "HIDECURR.NOTE"), (546, "HIDEALL.NOTES"), (547, "DELETE.NOTE"), (548, "TRAVERSE.NOTES"), (549, "ACTIVATE.NOTES"),
    (620, "PROTECT.REVISIONS"), (621, "UNPROTECT.REVISIONS"), (647, "OPTIONS.ME"), (653, "WEB.PUBLISH"), (667, "NEWWEBQUERY"),
    (673, "PIVOT.TABLE.CHART"), (753, "OPTIONS.SAVE"), (755, "OPTIONS.SPELL"), (808, "HIDEALL.INKANNOTS"),
];

/// The name of a function, or `None` where the number is none.
pub(super) fn name(number: u16) -> Option<&'static str> {
    let found = find(WORKSHEET, number).or_else(|| find(MACRO, number));
    found.map(|(_, name, _)| *name)
}

/// The name of a command.
pub(super) fn command(number: u16) -> Option<&'static str> {
    let at = COMMANDS.binary_search_by_key(&number, |row| row.0).ok()?;
    COMMANDS.get(at).map(|row| row.1)
}

/// How many arguments a function takes that takes a fixed number.
pub(super) fn arity(number: u16) -> Option<usize> {
    let found = find(WORKSHEET, number).or_else(|| find(MACRO, number));
    let (_, _, arity) = found?;
    (*arity != ANY).then_some(usize::from(*arity))
}

/// Whether a name is that of a function or command that only macro sheets may call.
pub fn is_macro_function(name: &str) -> bool {
    let same = |known: &str| known.eq_ignore_ascii_case(name);
    MACRO.iter().any(|row| same(row.1)) || COMMANDS.iter().any(|row| same(row.1))
}

fn find(
    table: &'static [(u16, &'static str, u8)],
    number: u16,
) -> Option<&'static (u16, &'static str, u8)> {
    let at = table.binary_search_by_key(&number, |row| row.0).ok()?;
    table.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_functions_are_found_by_number() {
        assert!(WORKSHEET.is_sorted_by_key(|row| row.0) && MACRO.is_sorted_by_key(|row| row.0));
        assert!(COMMANDS.is_sorted_by_key(|row| row.0));
        assert_eq!((name(110), arity(110)), (Some("EXEC"), None));
        assert_eq!((name(111), arity(111)), (Some("CHAR"), Some(1)));
        assert_eq!(command(0), Some("BEEP"));
        assert_eq!(name(9999), None);
        assert!(is_macro_function("get.workspace") && !is_macro_function("SUM"));
    }
}
