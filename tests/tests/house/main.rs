//! The rules that hold for the source itself: which part may import which, and how the text of
//! code and documents is written. They need no server and no network.

mod circles;
mod dependencies;
mod documents;
mod floors;
mod imports;
mod modules;
mod prose;
mod shares;
mod sources;
