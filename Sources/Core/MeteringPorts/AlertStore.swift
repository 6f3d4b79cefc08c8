package import MeteringModel

/// Messages, what is still to be delivered to whom, and what came of it: `alerts.db`.
///
/// Safe from any thread, blocking for a short transaction. What a writing call did is on the disk
/// when it returns.
package protocol AlertStore: AnyObject, Sendable {
    // MARK: taking messages in

    func cursor(of feed: String) throws(LedgerError) -> FeedCursor?
    /// Stores the batch in one transaction. A message whose id is known is passed over with all
    /// that belongs to it, so that reading a feed again changes nothing.
    func take(_ batch: AlertBatch) throws(LedgerError)
    /// Puts changes that have settled into their endpoints' lines; those nobody wants are dropped.
    /// - Returns: how many went into a line.
    func settle(at now: Timestamp, limit: Int) throws(LedgerError) -> Int
    /// When the next change settles; nil when none is waiting to.
    func nextSettling() throws(LedgerError) -> Timestamp?

    // MARK: delivering

    /// Every endpoint with something waiting, by name.
    func lines() throws(LedgerError) -> [EndpointLine]
    /// The front of an endpoint's line, in order.
    func waiting(_ endpoint: String, limit: Int) throws(LedgerError) -> [AlertDelivery]
    /// Binds deliveries into one request under the id `carrier`, for good.
    func bind(
        _ endpoint: String, _ sequences: [Int64], carrier: String
    ) throws(LedgerError)
    /// Writes down what came of attempts, of different endpoints, in one transaction.
    func record(_ outcomes: [AttemptOutcome]) throws(LedgerError)
    /// Ends everything that waits or settles for an endpoint that is no more.
    func cancel(_ endpoint: String, at: Timestamp) throws(LedgerError)

    // MARK: endpoints

    func state(of endpoint: String) throws(LedgerError) -> EndpointState
    func setState(_ endpoint: String, _ state: EndpointState) throws(LedgerError)
    /// The endpoint's secrets, the newest first.
    func secrets(of endpoint: String) throws(LedgerError) -> [SealedSecret]
    /// Adds a secret as the newest; those before it sign until `until`, and older ones are dropped.
    func addSecret(
        _ endpoint: String, _ secret: SealedSecret, othersUntil until: Timestamp
    ) throws(LedgerError)
    /// An address that is itself a secret, kept under a reference.
    func sealedAddress(_ reference: String) throws(LedgerError) -> [UInt8]?
    func putSealedAddress(_ reference: String, _ sealed: [UInt8]) throws(LedgerError)

    // MARK: looking, sending again

    /// An endpoint's deliveries, the latest first, before `sequence` (nil: from the last).
    func deliveries(
        _ endpoint: String, state: AlertDelivery.State?, before sequence: Int64?, limit: Int
    ) throws(LedgerError) -> [AlertDelivery]
    /// The latest delivery of a message to an endpoint.
    func delivery(_ endpoint: String, message: String) throws(LedgerError) -> AlertDelivery?
    /// Attempts under a message's id or its carrier's, the latest first, as far as they are kept.
    func attempts(
        _ endpoint: String, message: String, limit: Int
    ) throws(LedgerError) -> [AlertAttempt]
    func message(_ id: String) throws(LedgerError) -> AlertMessage?
    /// Messages of `from` ≤ at < `to`, in the order of their arrival.
    func messages(
        from: Timestamp, to: Timestamp, after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [AlertMessage]
    /// Puts messages at the end of an endpoint's line, in the order given; those that wait in it
    /// already stay where they are, and those that joined it since `asked` are not added again.
    /// - Returns: how many were added.
    func requeue(
        _ endpoint: String, _ messages: [String], asked: Timestamp, at: Timestamp
    ) throws(LedgerError) -> Int
    func statistics() throws(LedgerError) -> AlertStatistics
    /// Drops messages taken before `instant` that wait for nobody, with their deliveries and
    /// attempts.
    func prune(before instant: Timestamp) throws(LedgerError)
}

/// How far a feed was read. `mark` names the entry at the sequence, so that a feed that was
/// written anew under the same numbers is noticed.
package struct FeedCursor: Sendable, Hashable {
    package var sequence: Int64
    package var mark: String
    package init(sequence: Int64, mark: String) {
        self.sequence = sequence
        self.mark = mark
    }
}

/// Something to be told, as it is told: the body's bytes are decided once.
package struct AlertMessage: Sendable, Hashable {
    /// Given by the store; 0 before.
    package var sequence: Int64
    package var id: String
    package var type: String
    package var customer: CustomerID?
    package var feature: FeatureKey?
    package var plan: PlanKey?
    package var owner: String?
    /// In hundredths of a percent of the limit.
    package var levelBasisPoints: Int64?
    package var at: Timestamp
    /// JSON: `{"data":…,"timestamp":…,"type":…}`.
    package var body: String
    package init(
        sequence: Int64 = 0, id: String, type: String, customer: CustomerID? = nil,
        feature: FeatureKey? = nil, plan: PlanKey? = nil, owner: String? = nil,
        levelBasisPoints: Int64? = nil, at: Timestamp, body: String
    ) {
        self.sequence = sequence
        self.id = id
        self.type = type
        self.customer = customer
        self.feature = feature
        self.plan = plan
        self.owner = owner
        self.levelBasisPoints = levelBasisPoints
        self.at = at
        self.body = body
    }
}

/// Messages with what becomes of each, and how far their feed was read.
package struct AlertBatch: Sendable {
    /// A change that is told only if it is still so after a while.
    package struct Settling: Sendable, Hashable {
        package var endpoint: String
        /// The thing that changed to and fro; two changes of it cancel each other out.
        package var subject: String
        package var due: Timestamp
        /// Whether the endpoint takes the type; one that does not still cancels its opposite.
        package var isWanted: Bool
        package init(endpoint: String, subject: String, due: Timestamp, isWanted: Bool) {
            self.endpoint = endpoint
            self.subject = subject
            self.due = due
            self.isWanted = isWanted
        }
    }
    package struct Item: Sendable, Hashable {
        package var message: AlertMessage
        /// Endpoints whose lines it joins at once.
        package var endpoints: [String]
        package var settling: [Settling]
        package init(
            message: AlertMessage, endpoints: [String] = [], settling: [Settling] = []
        ) {
            self.message = message
            self.endpoints = endpoints
            self.settling = settling
        }
    }
    package var items: [Item]
    package var feed: String?
    package var cursor: FeedCursor?
    package var at: Timestamp
    package init(
        items: [Item], feed: String? = nil, cursor: FeedCursor? = nil, at: Timestamp
    ) {
        self.items = items
        self.feed = feed
        self.cursor = cursor
        self.at = at
    }
}

/// One message's place in one endpoint's line.
package struct AlertDelivery: Sendable, Hashable {
    package enum State: String, Sendable, CaseIterable {
        case waiting, delivered, failed, cancelled
    }
    /// Place in the line: the lower goes first.
    package var sequence: Int64
    package var endpoint: String
    package var message: AlertMessage
    package var state: State
    /// The id of the request that carries it together with others; nil: its own.
    package var carrier: String?
    package var attemptCount: Int
    package var queuedAt: Timestamp
    package var endedAt: Timestamp?
    /// Of the last attempt: its status code, and in words what came of it.
    package var lastStatus: Int?
    package var lastDetail: String?
    package init(
        sequence: Int64, endpoint: String, message: AlertMessage, state: State,
        carrier: String? = nil, attemptCount: Int = 0, queuedAt: Timestamp,
        endedAt: Timestamp? = nil, lastStatus: Int? = nil, lastDetail: String? = nil
    ) {
        self.sequence = sequence
        self.endpoint = endpoint
        self.message = message
        self.state = state
        self.carrier = carrier
        self.attemptCount = attemptCount
        self.queuedAt = queuedAt
        self.endedAt = endedAt
        self.lastStatus = lastStatus
        self.lastDetail = lastDetail
    }
}

/// An endpoint's line in short.
package struct EndpointLine: Sendable, Hashable {
    package var endpoint: String
    package var waitingCount: Int
    package var oldestQueuedAt: Timestamp
    package var state: EndpointState
    package init(
        endpoint: String, waitingCount: Int, oldestQueuedAt: Timestamp, state: EndpointState
    ) {
        self.endpoint = endpoint
        self.waitingCount = waitingCount
        self.oldestQueuedAt = oldestQueuedAt
        self.state = state
    }
}

/// What is known of an endpoint beside its record.
package struct EndpointState: Sendable, Hashable {
    /// Set when deliveries were given up until somebody enables it, with why.
    package var disabledSince: Timestamp?
    package var disabledReason: String?
    /// Start of the first attempt since the last success that failed; nil while all is well.
    package var failingSince: Timestamp?
    package var failureCount: Int
    /// Not before this.
    package var nextAttemptAt: Timestamp?
    package init(
        disabledSince: Timestamp? = nil, disabledReason: String? = nil,
        failingSince: Timestamp? = nil, failureCount: Int = 0, nextAttemptAt: Timestamp? = nil
    ) {
        self.disabledSince = disabledSince
        self.disabledReason = disabledReason
        self.failingSince = failingSince
        self.failureCount = failureCount
        self.nextAttemptAt = nextAttemptAt
    }
}

/// One request that was made for an endpoint.
package struct AlertAttempt: Sendable, Hashable {
    package var endpoint: String
    /// The id that it carried: a message's, or a carrier's.
    package var id: String
    package var at: Timestamp
    package var durationMilliseconds: Int64
    /// Nil when there was no answer.
    package var status: Int?
    /// Plain words, at most 300 printable characters.
    package var detail: String
    package init(
        endpoint: String, id: String, at: Timestamp, durationMilliseconds: Int64, status: Int?,
        detail: String
    ) {
        self.endpoint = endpoint
        self.id = id
        self.at = at
        self.durationMilliseconds = durationMilliseconds
        self.status = status
        self.detail = detail
    }
}

/// What came of an attempt: for the deliveries that it carried, and for the endpoint.
package struct AttemptOutcome: Sendable, Hashable {
    package var attempt: AlertAttempt
    package var sequences: [Int64]
    /// What they become; `.waiting` leaves them in the line.
    package var state: AlertDelivery.State
    package var endpoint: EndpointState
    package init(
        attempt: AlertAttempt, sequences: [Int64], state: AlertDelivery.State,
        endpoint: EndpointState
    ) {
        self.attempt = attempt
        self.sequences = sequences
        self.state = state
        self.endpoint = endpoint
    }
}

/// A signing secret as it is kept: encrypted under a key that is not in the store.
package struct SealedSecret: Sendable, Hashable {
    package var sealed: [UInt8]
    package var createdAt: Timestamp
    /// Signs no more from then on; nil for the newest.
    package var expiresAt: Timestamp?
    package init(sealed: [UInt8], createdAt: Timestamp, expiresAt: Timestamp? = nil) {
        self.sealed = sealed
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }
}

package struct AlertStatistics: Sendable, Hashable {
    package var waitingCount: Int
    package var oldestQueuedAt: Timestamp?
    package var disabledEndpointCount: Int
    package init(waitingCount: Int, oldestQueuedAt: Timestamp?, disabledEndpointCount: Int) {
        self.waitingCount = waitingCount
        self.oldestQueuedAt = oldestQueuedAt
        self.disabledEndpointCount = disabledEndpointCount
    }
}
