//! The instructions of p-code by their number, and the words that Visual Basic reserves by theirs.
//!
//! Nothing of this is specified ([MS-OVBA] 2.3.4.1 calls it a cache): the numbers are those of 64-bit Office, which
//! has them all; 32-bit Office leaves some out. Each row says what operands follow and how a person would write it.

use Does::{Call, Constant, Load, Raise, Set, Store};
use Form::*;
use On::{Dictionary, Index, Member, Name, WithDictionary, WithMember};

/// One instruction.
#[derive(Debug)]
pub(super) struct Opcode {
    /// What follows it, a letter each: `n` a name, `w` a word, `i` an import (2 bytes each); `f` a procedure, `v` a
    /// variable, `r` a type, `t` an array's type, `c` a context (4 bytes each, but 8 for a context in 64-bit Office);
    /// `s` bytes with their length before them, padded to words.
    pub(super) operands: &'static str,
    /// How it is written.
    pub(super) form: Form,
}

/// How an instruction is written, given a stack of expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Two expressions with this between them.
    Infix(&'static str),
    /// This before an expression.
    Prefix(&'static str),
    /// A function of so many arguments.
    Function(&'static str, usize),
    /// A function of an array and as many dimensions as its word says.
    Bound(&'static str),
    /// An expression by itself.
    Push(&'static str),
    /// A name between two texts, as an expression.
    Named(&'static str, &'static str),
    /// A name between two texts, as a statement.
    Jump(&'static str, &'static str),
    /// Something named, and what is done with it.
    Access(On, Does),
    /// A statement of one word and so many expressions.
    Statement(&'static str, usize),
    /// A statement of one word and as many expressions as its word says.
    Counted(&'static str),
    /// An expression between two texts, as a statement.
    Around(&'static str, &'static str),
    /// Expressions behind a first text, with texts between them, as a statement.
    Between(&'static str, &'static [&'static str]),
    /// A statement on an object, with one argument.
    Method(&'static str),
    /// Starts a list of items: an expression between two texts.
    Items(&'static str, &'static str),
    /// An item of a list: a text, an expression, a text.
    Item(&'static str, &'static str),
    /// An item that is a range.
    ItemTo,
    /// The last item of a list.
    LastItem,
    /// Ends a list, behind a text.
    EndItems(&'static str),
    /// A number.
    Number(Base),
    /// A string.
    Text,
    /// True, False, Null or Empty.
    Special,
    /// A comment, or a line that could not be compiled, behind a text.
    Comment(&'static str),
    /// A conversion.
    Coerce,
    /// Starts declarations.
    Dim,
    /// A declared variable.
    Variable,
    /// A user-defined type or enumeration.
    Type,
    /// The head of a procedure.
    Procedure,
    /// A new array.
    Redim(On),
    /// An argument by name.
    NamedArgument,
    /// A new object.
    New,
    /// A test of an object's type.
    TypeOf,
    /// A file that is opened.
    Open,
    /// An error handler.
    OnError,
    /// The end of an error handler.
    Resume,
    /// An option of the module.
    OptionLine,
    /// The end of a statement within a line.
    Separator,
    /// Nothing that shows.
    Silent,
}

/// What a name belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    /// Nothing: it stands alone.
    Name,
    /// The object before it.
    Member,
    /// The collection before it, by `!`.
    Dictionary,
    /// No name: the expression before it is indexed.
    Index,
    /// The object of `With`.
    WithMember,
    /// The collection of `With`, by `!`.
    WithDictionary,
}

/// What is done with something named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// It is an expression.
    Load,
    /// It gets a value.
    Store,
    /// It gets an object.
    Set,
    /// It is called as a statement.
    Call,
    /// It is raised as an event.
    Raise,
    /// It is a constant for conditional compilation.
    Constant,
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// In digits.
    Decimal,
    /// Behind `&H`.
    Hexadecimal,
    /// Behind `&O`.
    Octal,
    /// With a point.
    Float,
    /// In ten-thousandths.
    Currency,
    /// As days since 1899-12-30.
    Date,
    /// In the instruction itself.
    Small,
}

/// The instruction of a number, as 32-bit or 64-bit Office counts them.
pub(super) fn opcode(number: u16, wide: bool) -> Option<&'static Opcode> {
    let left_out = match number {
        _ if wide => 0,
        0..=173 => 0,
        174..=175 => 1,
        176..=178 => 2,
        _ => 3,
    };
    OPCODES.get(usize::from(number.saturating_add(left_out)))
}

const fn op(operands: &'static str, form: Form) -> Opcode {
    Opcode { operands, form }
}

/// By number; beside each what it is called among those who read p-code.
#[rustfmt::skip]
static OPCODES: [Opcode; 264] = [
    op("", Infix(" Imp ")), // Imp
    op("", Infix(" Eqv ")), // Eqv
    op("", Infix(" Xor ")), // Xor
    op("", Infix(" Or ")), // Or
    op("", Infix(" And ")), // And
    op("", Infix(" = ")), // Eq
    op("", Infix(" <> ")), // Ne
    op("", Infix(" <= ")), // Le
    op("", Infix(" >= ")), // Ge
    op("", Infix(" < ")), // Lt
    op("", Infix(" > ")), // Gt
    op("", Infix(" + ")), // Add
    op("", Infix(" - ")), // Sub
    op("", Infix(" Mod ")), // Mod
    op("", Infix(" \\ ")), // IDiv
    op("", Infix(" * ")), // Mul
    op("", Infix(" / ")), // Div
    op("", Infix(" & ")), // Concat
    op("", Infix(" Like ")), // Like
    op("", Infix(" ^ ")), // Pwr
    op("", Infix(" Is ")), // Is
    op("", Prefix("Not ")), // Not
    op("", Prefix("-")), // UMi
    op("", Function("Abs", 1)), // FnAbs
    op("", Function("Fix", 1)), // FnFix
    op("", Function("Int", 1)), // FnInt
    op("", Function("Sgn", 1)), // FnSgn
    op("", Function("Len", 1)), // FnLen
    op("", Function("LenB", 1)), // FnLenB
    op("", Function("", 1)), // Paren
    op("", Prefix("#")), // Sharp
    op("n", Access(Name, Load)), // LdLHS
    op("n", Access(Name, Load)), // Ld
    op("n", Access(Member, Load)), // MemLd
    op("n", Access(Dictionary, Load)), // DictLd
    op("w", Access(Index, Load)), // IndexLd
    op("nw", Access(Name, Load)), // ArgsLd
    op("nw", Access(Member, Load)), // ArgsMemLd
    op("nw", Access(Dictionary, Load)), // ArgsDictLd
    op("n", Access(Name, Store)), // St
    op("n", Access(Member, Store)), // MemSt
    op("n", Access(Dictionary, Store)), // DictSt
    op("w", Access(Index, Store)), // IndexSt
    op("nw", Access(Name, Store)), // ArgsSt
    op("nw", Access(Member, Store)), // ArgsMemSt
    op("nw", Access(Dictionary, Store)), // ArgsDictSt
    op("n", Access(Name, Set)), // Set
    op("n", Access(Member, Set)), // Memset
    op("n", Access(Dictionary, Set)), // Dictset
    op("w", Access(Index, Set)), // Indexset
    op("nw", Access(Name, Set)), // ArgsSet
    op("nw", Access(Member, Set)), // ArgsMemSet
    op("nw", Access(Dictionary, Set)), // ArgsDictSet
    op("n", Access(WithMember, Load)), // MemLdWith
    op("n", Access(WithDictionary, Load)), // DictLdWith
    op("nw", Access(WithMember, Load)), // ArgsMemLdWith
    op("nw", Access(WithDictionary, Load)), // ArgsDictLdWith
    op("n", Access(WithMember, Store)), // MemStWith
    op("n", Access(WithDictionary, Store)), // DictStWith
    op("nw", Access(WithMember, Store)), // ArgsMemStWith
    op("nw", Access(WithDictionary, Store)), // ArgsDictStWith
    op("n", Access(WithMember, Set)), // MemSetWith
    op("n", Access(WithDictionary, Set)), // DictSetWith
    op("nw", Access(WithMember, Set)), // ArgsMemSetWith
    op("nw", Access(WithDictionary, Set)), // ArgsDictSetWith
    op("nw", Access(Name, Call)), // ArgsCall
    op("nw", Access(Member, Call)), // ArgsMemCall
    op("nw", Access(WithMember, Call)), // ArgsMemCallWith
    op("nw", Access(Name, Load)), // ArgsArray
    op("", Method(".Assert ")), // Assert
    op("w", Separator), // BoS
    op("", Separator), // BoSImplicit
    op("", Silent), // BoL
    op("n", Named("AddressOf ", "")), // LdAddressOf
    op("n", Access(Member, Load)), // MemAddressOf
    op("", Item("", ", ")), // Case
    op("", ItemTo), // CaseTo
    op("", Item("Is > ", ", ")), // CaseGt
    op("", Item("Is < ", ", ")), // CaseLt
    op("", Item("Is >= ", ", ")), // CaseGe
    op("", Item("Is <= ", ", ")), // CaseLe
    op("", Item("Is <> ", ", ")), // CaseNe
    op("", Item("Is = ", ", ")), // CaseEq
    op("", Statement("Case Else", 0)), // CaseElse
    op("", EndItems("Case ")), // CaseDone
    op("w", Statement("Circle", 3)), // Circle
    op("w", Counted("Close ")), // Close
    op("", Statement("Close", 0)), // CloseAll
    op("", Coerce), // Coerce
    op("", Coerce), // CoerceVar
    op("c", Silent), // Context
    op("", Push("Debug")), // Debug
    op("ww", Silent), // DefType
    op("", Dim), // Dim
    op("", Silent), // DimImplicit
    op("", Statement("Do", 0)), // Do
    op("", Statement("DoEvents", 0)), // DoEvents
    op("", Statement("Do Until", 1)), // DoUntil
    op("", Statement("Do While", 1)), // DoWhile
    op("", Statement("Else", 0)), // Else
    op("", Statement("Else", 0)), // ElseBlock
    op("", Around("ElseIf ", " Then")), // ElseIfBlock
    op("i", Around("ElseIf ", " Then")), // ElseIfTypeBlock
    op("", Statement("End", 0)), // End
    op("", Silent), // EndContext
    op("", Statement("End Function", 0)), // EndFunc
    op("", Silent), // EndIf
    op("", Statement("End If", 0)), // EndIfBlock
    op("", Silent), // EndImmediate
    op("", Statement("End Property", 0)), // EndProp
    op("", Statement("End Select", 0)), // EndSelect
    op("", Statement("End Sub", 0)), // EndSub
    op("", Statement("End Type", 0)), // EndType
    op("", Statement("End With", 0)), // EndWith
    op("w", Counted("Erase ")), // Erase
    op("", Statement("Error", 1)), // Error
    op("f", Procedure), // EventDecl
    op("nw", Access(Name, Raise)), // RaiseEvent
    op("nw", Access(Member, Raise)), // ArgsMemRaiseEvent
    op("nw", Access(WithMember, Raise)), // ArgsMemRaiseEventWith
    op("", Statement("Exit Do", 0)), // ExitDo
    op("", Statement("Exit For", 0)), // ExitFor
    op("", Statement("Exit Function", 0)), // ExitFunc
    op("", Statement("Exit Property", 0)), // ExitProp
    op("", Statement("Exit Sub", 0)), // ExitSub
    op("", Function("CurDir", 1)), // FnCurDir
    op("", Function("Dir", 1)), // FnDir
    op("", Silent), // Empty0
    op("", Silent), // Empty1
    op("", Function("Error", 1)), // FnError
    op("", Function("Format", 2)), // FnFormat
    op("", Function("FreeFile", 1)), // FnFreeFile
    op("", Function("InStr", 2)), // FnInStr
    op("", Function("InStr", 3)), // FnInStr3
    op("", Function("InStr", 4)), // FnInStr4
    op("", Function("InStrB", 2)), // FnInStrB
    op("", Function("InStrB", 3)), // FnInStrB3
    op("", Function("InStrB", 4)), // FnInStrB4
    op("w", Bound("LBound")), // FnLBound
    op("", Function("Mid", 3)), // FnMid
    op("", Function("MidB", 3)), // FnMidB
    op("", Function("StrComp", 2)), // FnStrComp
    op("", Function("StrComp", 3)), // FnStrComp3
    op("", Function("String", 2)), // FnStringVar
    op("", Function("String$", 2)), // FnStringStr
    op("w", Bound("UBound")), // FnUBound
    op("", Between("For ", &[" = ", " To "])), // For
    op("", Between("For Each ", &[" In "])), // ForEach
    op("i", Between("For Each ", &[" In "])), // ForEachAs
    op("", Between("For ", &[" = ", " To ", " Step "])), // ForStep
    op("f", Procedure), // FuncDefn
    op("f", Procedure), // FuncDefnSave
    op("", Statement("Get", 3)), // GetRec
    op("n", Jump("GoSub ", "")), // GoSub
    op("n", Jump("GoTo ", "")), // GoTo
    op("", Around("If ", " Then")), // If
    op("", Around("If ", " Then")), // IfBlock
    op("i", TypeOf), // TypeOf
    op("i", Around("If ", " Then")), // IfTypeBlock
    op("wwww", Statement("Implements", 0)), // Implements
    op("", Items("Input ", ", ")), // Input
    op("", EndItems("")), // InputDone
    op("", Item("", ", ")), // InputItem
    op("n", Jump("", ":")), // Label
    op("", Silent), // Let
    op("w", Statement("Line", 0)), // Line
    op("s", Silent), // LineCont
    op("", Statement("Line Input", 2)), // LineInput
    op("n", Jump("", "")), // LineNum
    op("wwww", Number(Base::Currency)), // LitCy
    op("wwww", Number(Base::Date)), // LitDate
    op("", Push("")), // LitDefault
    op("w", Number(Base::Decimal)), // LitDI2
    op("ww", Number(Base::Decimal)), // LitDI4
    op("wwww", Number(Base::Decimal)), // LitDI8
    op("w", Number(Base::Hexadecimal)), // LitHI2
    op("ww", Number(Base::Hexadecimal)), // LitHI4
    op("wwww", Number(Base::Hexadecimal)), // LitHI8
    op("", Push("Nothing")), // LitNothing
    op("w", Number(Base::Octal)), // LitOI2
    op("ww", Number(Base::Octal)), // LitOI4
    op("wwww", Number(Base::Octal)), // LitOI8
    op("ww", Number(Base::Float)), // LitR4
    op("wwww", Number(Base::Float)), // LitR8
    op("", Number(Base::Small)), // LitSmallI2
    op("s", Text), // LitStr
    op("", Special), // LitVarSpecial
    op("", Statement("Lock", 3)), // Lock
    op("", Statement("Loop", 0)), // Loop
    op("", Statement("Loop Until", 1)), // LoopUntil
    op("", Statement("Loop While", 1)), // LoopWhile
    op("", Between("LSet ", &[" = "])), // LSet
    op("", Push("Me")), // Me
    op("", Silent), // MeImplicit
    op("nwt", Redim(Member)), // MemRedim
    op("nwt", Redim(WithMember)), // MemRedimWith
    op("nwt", Redim(Member)), // MemRedimAs
    op("nwt", Redim(WithMember)), // MemRedimAsWith
    op("", Statement("Mid", 4)), // Mid
    op("", Statement("MidB", 4)), // MidB
    op("", Between("Name ", &[" As "])), // Name
    op("i", New), // New
    op("", Statement("Next", 0)), // Next
    op("", Statement("Next", 1)), // NextVar
    op("n", OnError), // OnError
    op("s", Around("On ", " GoSub")), // OnGosub
    op("s", Around("On ", " GoTo")), // OnGoto
    op("w", Open), // Open
    op("", OptionLine), // Option
    op("", Push("")), // OptionBase
    op("", Prefix("ByVal ")), // ParamByVal
    op("", Push("")), // ParamOmitted
    op("n", NamedArgument), // ParamNamed
    op("", Items("Print ", ", ")), // PrintChan
    op("", Silent), // PrintComma
    op("", EndItems("")), // PrintEoS
    op("", Item("", ", ")), // PrintItemComma
    op("", LastItem), // PrintItemNL
    op("", Item("", "; ")), // PrintItemSemi
    op("", EndItems("")), // PrintNL
    op("", Items("", ".Print ")), // PrintObj
    op("", Silent), // PrintSemi
    op("", Function("Spc", 1)), // PrintSpc
    op("", Function("Tab", 1)), // PrintTab
    op("", Silent), // PrintTabComma
    op("w", Statement("PSet", 3)), // PSet
    op("", Statement("Put", 3)), // PutRec
    op("ws", Comment("'")), // QuoteRem
    op("nwt", Redim(Name)), // Redim
    op("nwt", Redim(Name)), // RedimAs
    op("s", Comment("")), // Reparse
    op("s", Comment("Rem")), // Rem
    op("n", Resume), // Resume
    op("", Statement("Return", 0)), // Return
    op("", Between("RSet ", &[" = "])), // RSet
    op("w", Statement("Scale", 4)), // Scale
    op("", Statement("Seek", 2)), // Seek
    op("", Statement("Select Case", 1)), // SelectCase
    op("i", Silent), // SelectIs
    op("", Silent), // SelectType
    op("", Silent), // SetStmt
    op("ww", Silent), // Stack
    op("", Statement("Stop", 0)), // Stop
    op("r", Type), // Type
    op("", Statement("Unlock", 3)), // Unlock
    op("v", Variable), // VarDefn
    op("", Statement("Wend", 0)), // Wend
    op("", Statement("While", 1)), // While
    op("", Statement("With", 1)), // With
    op("", Items("Write ", ", ")), // WriteChan
    op("", Silent), // ConstFuncExpr
    op("n", Access(Name, Constant)), // LbConst
    op("", Around("#If ", " Then")), // LbIf
    op("", Statement("#Else", 0)), // LbElse
    op("", Around("#ElseIf ", " Then")), // LbElseIf
    op("", Statement("#End If", 0)), // LbEndIf
    op("", Silent), // LbMark
    op("", Silent), // EndForVariable
    op("", Silent), // StartForVariable
    op("", Silent), // NewRedim
    op("", Silent), // StartWithExpr
    op("n", Access(Name, Store)), // SetOrSt
    op("", Statement("End Enum", 0)), // EndEnum
    op("", Silent), // Illegal
];

/// Words that need no entry in a table of names, by number.
#[rustfmt::skip]
pub(super) const RESERVED: [&str; 255] = [
    "", "0", "Abs", "Access", "AddressOf", "Alias", "And", "Any", "Append", "Array", "As",
    "Assert", "B", "Base", "BF", "Binary", "Boolean", "ByRef", "Byte", "ByVal", "Call", "Case",
    "CBool", "CByte", "CCur", "CDate", "CDec", "CDbl", "CDecl", "ChDir", "CInt", "Circle",
    "CLng", "Close", "Compare", "Const", "CSng", "CStr", "CurDir", "CurDir$", "CVar", "CVDate",
    "CVErr", "Currency", "Database", "Date", "Date$", "Debug", "Decimal", "Declare", "DefBool",
    "DefByte", "DefCur", "DefDate", "DefDec", "DefDbl", "DefInt", "DefLng", "DefObj", "DefSng",
    "DefStr", "DefVar", "Dim", "Dir", "Dir$", "Do", "DoEvents", "Double", "Each", "Else",
    "ElseIf", "Empty", "End", "EndIf", "Enum", "Eqv", "Erase", "Error", "Error$", "Event",
    "WithEvents", "Explicit", "F", "False", "Fix", "For", "Format", "Format$", "FreeFile",
    "Friend", "Function", "Get", "Global", "Go", "GoSub", "Goto", "If", "Imp", "Implements",
    "In", "Input", "Input$", "InputB", "InputB", "InStr", "InputB$", "Int", "InStrB", "Is",
    "Integer", "Left", "LBound", "LenB", "Len", "Lib", "Let", "Line", "Like", "Load", "Local",
    "Lock", "Long", "Loop", "LSet", "Me", "Mid", "Mid$", "MidB", "MidB$", "Mod", "Module",
    "Name", "New", "Next", "Not", "Nothing", "Null", "Object", "On", "Open", "Option",
    "Optional", "Or", "Output", "ParamArray", "Preserve", "Print", "Private", "Property", "PSet",
    "Public", "Put", "RaiseEvent", "Random", "Randomize", "Read", "ReDim", "Rem", "Resume",
    "Return", "RGB", "RSet", "Scale", "Seek", "Select", "Set", "Sgn", "Shared", "Single", "Spc",
    "Static", "Step", "Stop", "StrComp", "String", "String$", "Sub", "Tab", "Text", "Then", "To",
    "True", "Type", "TypeOf", "UBound", "Unload", "Unlock", "Unknown", "Until", "Variant",
    "WEnd", "While", "Width", "With", "Write", "Xor", "#Const", "#Else", "#ElseIf", "#End",
    "#If", "Attribute", "VB_Base", "VB_Control", "VB_Creatable", "VB_Customizable",
    "VB_Description", "VB_Exposed", "VB_Ext_Key", "VB_HelpID", "VB_Invoke_Func",
    "VB_Invoke_Property", "VB_Invoke_PropertyPut", "VB_Invoke_PropertyPutRef", "VB_MemberFlags",
    "VB_Name", "VB_PredeclaredId", "VB_ProcData", "VB_TemplateDerived", "VB_VarDescription",
    "VB_VarHelpID", "VB_VarMemberFlags", "VB_VarProcData", "VB_UserMemID", "VB_VarUserMemID",
    "VB_GlobalNameSpace", ",", ".", "\"", "_", "!", "#", "&", "'", "(", ")", "*", "+", "-", "/",
    ":", ";", "<", "<=", "<>", "=", "=<", "=>", ">", "><", ">=", "?", "\\", "^", ":=",
];
