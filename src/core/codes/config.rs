use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "CP-1001",
        "Configuration not readable",
        "The configuration as a whole could not be taken: its file is missing or not readable.",
        "Check the path given with --config and the permissions of the file.",
    ),
    (
        "CP-1002",
        "Not TOML",
        "A line of the configuration file is not valid TOML.",
        "Correct the line that the report names. Text needs quotes; a [section] needs its closing bracket.",
    ),
    (
        "CP-1003",
        "Unknown key",
        "The configuration sets a key that does not exist, so it would have no effect.",
        "Use the name that the report proposes; `clawpool config dump` shows every key.",
    ),
    (
        "CP-1004",
        "Value of the wrong type",
        "A value is not of the type its key needs, or is not one of the words it allows.",
        "Write a value as the report says; `clawpool config schema` describes every type.",
    ),
    (
        "CP-1005",
        "Key missing",
        "An entry lacks a key that has no default.",
        "Add the key. When the entry's own name is a slip, correct the name.",
    ),
    (
        "CP-1006",
        "Value out of range",
        "A value is of the right type, but not one that can work.",
        "Choose a value within the range that the report names.",
    ),
    (
        "CP-1007",
        "Settings contradict each other",
        "Two settings are each valid and cannot hold together.",
        "Change one of the two, as the report says.",
    ),
    (
        "CP-1008",
        "Secret not found",
        "A reference env:NAME or file:PATH leads to nothing, or to nothing but white space.",
        "Set the variable or provide the file, for the user that the program runs as.",
    ),
    (
        "CP-1009",
        "Override not readable",
        "A --set argument is not of the form KEY=VALUE.",
        "Write for example --set worker.slots=20; quote names with dots: --set \
        'worker.patience.\"normal.p4\"=100'.",
    ),
    (
        "CP-1010",
        "Not safe",
        "As configured, strangers could run tasks: no tokens on an open address, or a token that can be \
        guessed.",
        "Add [[api.tokens]] with long random secrets of their own, or listen on 127.0.0.1.",
    ),
    (
        "CP-1011",
        "Pattern or rule without effect",
        "A handler's kind cannot be read, or a rule stands after one that already matches all it matches.",
        "Correct the pattern, or move the narrower rule before the wider one.",
    ),
    (
        "CP-1012",
        "Address not usable",
        "The address of a server cannot be read, or names a protocol that is not spoken there.",
        "Write scheme://user:password@host:port/path, with special characters of the password as %xx.",
    ),
    (
        "CP-1013",
        "Policy without effect",
        "An autoscaling policy has a threshold that no reading can cross, or that every reading crosses.",
        "Correct the threshold, or take the policy out.",
    ),
    (
        "CP-1014",
        "New configuration refused",
        "The configuration was to be read again and has mistakes. Nothing was changed; the one before holds \
        on.",
        "Correct every mistake that the message names, and ask for the reload again.",
    ),
    (
        "CP-1015",
        "TLS files not usable",
        "The certificate or the key of api.tls cannot be read, is not PEM, or they do not belong together. \
        At the start the program ends; later the certificate that was there before is kept.",
        "Write the certificate, its chain after it, and its key without a password, as PEM, for the user \
        that the program runs as.",
    ),
];
