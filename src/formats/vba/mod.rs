//! VBA source text: tokens, statements, procedures, and what its constant expressions come to ([MS-VBAL]).
//!
//! Everything works on the module's bytes, so that an offset in a finding is an offset in the artifact. Nothing here
//! says what is bad: [`fold()`] tells which calls a module makes with which values, an analyzer judges.

mod builtins;
mod expression;
pub mod fold;
mod interpreter;
pub mod known;
mod lexer;
mod normalised;
mod procedures;
mod statements;
mod value;

pub use fold::{Argument, Call, Declared, Event, Receiver, fold};
pub use lexer::{Module, Symbol, Token, TokenKind};
pub use normalised::normalised;
pub use procedures::{Procedure, ProcedureKind};
pub use statements::Statement;
pub use value::{Built, Steps, Text, Value};
