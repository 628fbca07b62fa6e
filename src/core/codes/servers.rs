use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "CP-1201",
        "Broker silent",
        "The broker cannot be reached or does not answer. Running tasks go on; new ones are refused until \
        it is back.",
        "Check that the server runs and that its address in the configuration is right. Connections mend by \
        themselves.",
    ),
    (
        "CP-1202",
        "Broker takes no messages",
        "The broker answers and takes no messages: it lacks memory or disk, or it is a replica during a \
        failover.",
        "Do what the message says: mostly free memory or disk on the server. Everything goes on by itself \
        then.",
    ),
    (
        "CP-1203",
        "Queue full",
        "As many tasks wait on the queue as limits.queued, or its own limit in [[queues]], allows. The task \
        was not accepted.",
        "Send it again after the time given; start more workers, or raise the limit.",
    ),
    (
        "CP-1204",
        "Not confirmed",
        "A server did not confirm the task in time, or lost its connection. Either nothing of it will run, \
         or the answer says that this is not known, and names the task's id.",
        "Send the task again; where the answer names an id, with that id: then it runs once.",
    ),
    (
        "CP-1205",
        "Broker refuses",
        "The broker refuses what was asked of it: wrong rights, a queue of other arguments, an unfit server.",
        "Read the reason in the message, and correct the server's settings or the user's rights.",
    ),
    (
        "CP-1301",
        "Store silent",
        "The store cannot be reached or does not answer. Nothing is claimed or accepted until it is back.",
        "Check that the server runs and that its address is right; for the embedded profile, that the disk \
        has room.",
    ),
    (
        "CP-1302",
        "No longer the leader",
        "Another process took over leadership while this one was silent; its write was refused, as it must \
        be.",
        "Nothing, if it is rare. If not, look for long pauses of the process or of the store.",
    ),
    (
        "CP-1303",
        "Store unreadable",
        "The store holds something that this version cannot read.",
        "Check that nothing else writes under the same prefix, and that all programs are of versions that \
        go together.",
    ),
    (
        "CP-1304",
        "Store unfit",
        "The store's settings would lose data, for example a Redis that evicts keys.",
        "Change the server's settings as the message says.",
    ),
    (
        "CP-1305",
        "Cursor unknown",
        "The cursor of a listing is not one that this listing gave out.",
        "Leave it out to start from the beginning, and pass `next` of each page on unchanged.",
    ),
    (
        "CP-1306",
        "Store takes no writes",
        "The store answers and takes no writes: it lacks memory or disk, or it is a replica during a \
         failover. Running tasks go on, and workers wait.",
        "Do what the message says: mostly free memory or disk on the server. Everything goes on by itself \
        then.",
    ),
];
