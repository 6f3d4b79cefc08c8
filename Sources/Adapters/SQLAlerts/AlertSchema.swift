import SQLClient

/// The tables of `alerts.db`.
enum AlertSchema {
    static let schema = SQLSchema(
        name: "the alert store",
        migrations: [
            [messages, messagesByTime, messagesByAge]
                + [deliveries, deliveriesWaiting, deliveriesByMessage, deliveriesByEndpoint]
                + [settling, settlingByDue, endpointStates, attempts, attemptsByRequest]
                + [secrets, secretsByEndpoint, addresses, feeds]
        ])
}

/// `body` is the text that is sent. `taken_at` is when the message came here, `at` when what it
/// tells happened.
private let messages = """
    CREATE TABLE messages (
        sequence \(SQLType.sequence),
        id \(SQLType.text) NOT NULL UNIQUE,
        type \(SQLType.text) NOT NULL,
        customer \(SQLType.text),
        feature \(SQLType.text),
        plan \(SQLType.text),
        owner \(SQLType.text),
        level \(SQLType.integer),
        at \(SQLType.integer) NOT NULL,
        taken_at \(SQLType.integer) NOT NULL,
        body \(SQLType.text) NOT NULL
    ) \(SQLType.strict)
    """

private let messagesByTime = "CREATE INDEX messages_by_time ON messages (at, sequence)"

private let messagesByAge = "CREATE INDEX messages_by_age ON messages (taken_at)"

/// A message may stand in one endpoint's line more than once: sent again, it joins at the end.
private let deliveries = """
    CREATE TABLE deliveries (
        sequence \(SQLType.sequence),
        endpoint \(SQLType.text) NOT NULL,
        message \(SQLType.integer) NOT NULL,
        state \(SQLType.text) NOT NULL
            CHECK (state IN ('waiting', 'delivered', 'failed', 'cancelled')),
        carrier \(SQLType.text),
        attempts \(SQLType.integer) NOT NULL,
        queued_at \(SQLType.integer) NOT NULL,
        ended_at \(SQLType.integer),
        last_status \(SQLType.integer),
        last_detail \(SQLType.text)
    ) \(SQLType.strict)
    """

/// The lines; small however long the past is. All that a look at the lines needs is in it.
private let deliveriesWaiting = """
    CREATE INDEX deliveries_waiting ON deliveries (endpoint, sequence, queued_at)
    WHERE state = 'waiting'
    """

private let deliveriesByMessage = """
    CREATE INDEX deliveries_by_message ON deliveries (message, endpoint, sequence)
    """

private let deliveriesByEndpoint = """
    CREATE INDEX deliveries_by_endpoint ON deliveries (endpoint, sequence)
    """

/// At most one change of a subject settles for an endpoint: the next cancels it.
private let settling = """
    CREATE TABLE settling (
        endpoint \(SQLType.text) NOT NULL,
        subject \(SQLType.text) NOT NULL,
        message \(SQLType.integer) NOT NULL,
        due \(SQLType.integer) NOT NULL,
        is_wanted \(SQLType.integer) NOT NULL CHECK (is_wanted IN (0, 1)),
        PRIMARY KEY (endpoint, subject)
    ) \(SQLType.clustered)
    """

private let settlingByDue = "CREATE INDEX settling_by_due ON settling (due, message)"

private let endpointStates = """
    CREATE TABLE endpoint_states (
        endpoint \(SQLType.text) NOT NULL PRIMARY KEY,
        disabled_since \(SQLType.integer),
        disabled_reason \(SQLType.text),
        failing_since \(SQLType.integer),
        failures \(SQLType.integer) NOT NULL,
        next_attempt_at \(SQLType.integer)
    ) \(SQLType.clustered)
    """

/// `id` is what the request carried as its id.
private let attempts = """
    CREATE TABLE attempts (
        sequence \(SQLType.sequence),
        endpoint \(SQLType.text) NOT NULL,
        id \(SQLType.text) NOT NULL,
        at \(SQLType.integer) NOT NULL,
        duration \(SQLType.integer) NOT NULL,
        status \(SQLType.integer),
        detail \(SQLType.text) NOT NULL
    ) \(SQLType.strict)
    """

private let attemptsByRequest = """
    CREATE INDEX attempts_by_request ON attempts (endpoint, id, sequence)
    """

private let secrets = """
    CREATE TABLE secrets (
        sequence \(SQLType.sequence),
        endpoint \(SQLType.text) NOT NULL,
        sealed \(SQLType.bytes) NOT NULL,
        created_at \(SQLType.integer) NOT NULL,
        expires_at \(SQLType.integer)
    ) \(SQLType.strict)
    """

private let secretsByEndpoint = "CREATE INDEX secrets_by_endpoint ON secrets (endpoint, sequence)"

private let addresses = """
    CREATE TABLE addresses (
        reference \(SQLType.text) NOT NULL PRIMARY KEY,
        sealed \(SQLType.bytes) NOT NULL
    ) \(SQLType.clustered)
    """

private let feeds = """
    CREATE TABLE feeds (
        name \(SQLType.text) NOT NULL PRIMARY KEY,
        sequence \(SQLType.integer) NOT NULL,
        mark \(SQLType.text) NOT NULL
    ) \(SQLType.clustered)
    """
