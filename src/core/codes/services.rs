use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "CP-1901",
        "No right to change services",
        "The system's services can be changed by administrators alone.",
        "Run the command as root (Linux), or in a terminal opened with Run as administrator (Windows).",
    ),
    (
        "CP-1902",
        "Service exists",
        "A service of this name is installed already. Nothing was changed.",
        "Choose another --name, or remove the service with `clawpool service uninstall` first.",
    ),
    (
        "CP-1903",
        "No such service",
        "No service of this name is installed.",
        "Check the --name. `clawpool service install` makes a service.",
    ),
    (
        "CP-1904",
        "Account not usable",
        "The account that the service should run as does not exist, or may not run services. Nothing was \
        installed.",
        "Leave --account out: the service then gets an account of its own, with no rights but its own \
        folder's.",
    ),
    (
        "CP-1905",
        "Service of another program",
        "A service of this name is installed, and does not run Clawpool. It was not touched.",
        "Choose another --name.",
    ),
    (
        "CP-1906",
        "Service manager refuses",
        "systemd or the Windows service manager could not do what was asked. An installation was undone.",
        "The message says why.",
    ),
    (
        "CP-1907",
        "Program out of reach",
        "The program lies in a user's home, which the account of a service cannot read. Nothing was \
        installed.",
        "Copy the program to a folder for programs, and install the service from there.",
    ),
    (
        "CP-1908",
        "Service ended",
        "The service was started and ended, or did not start or stop in time.",
        "Its log names the cause: journalctl (Linux), or the logs in the service's folder and the event log \
        (Windows).",
    ),
];
