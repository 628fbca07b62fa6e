mod file;
mod help;
mod scripted;
mod tables;
