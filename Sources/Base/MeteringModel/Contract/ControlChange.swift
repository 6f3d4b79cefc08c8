/// What the control plane keeps, by kind. Raw values are the words of the audit log.
public enum RecordKind: String, Sendable, Hashable, Codable, CaseIterable {
    case product, meter, feature, plan
    case addOn = "add_on"
    case integration
    case customer, subscription, override, grant, suspension, revocation, seat
    /// An API key or a signing key, without its secret: kept so that the log says who made it.
    case credential
    /// Where alerts are delivered to, without its secret.
    case alertEndpoint = "alert_endpoint"
    /// What people did about a signal: acknowledged, snoozed, assigned, noted.
    case signal
    /// A correction of one event: what was taken out, or put in its place, and why.
    case correction

    /// Records that one customer's entitlements are folded from.
    public static let contract: [RecordKind] = [
        .customer, .subscription, .override, .grant, .suspension, .revocation,
    ]
}

/// One change of one record: one row of the audit log, and all that the record is made from.
///
/// A record at an instant is the fold of its changes' patches (RFC 7396) in the order of
/// (`effectiveAt`, `sequence`); a patch of null ends it. `undo` takes an earlier change out.
public struct ControlChange: Hashable, Sendable {
    public enum Action: String, Sendable, Hashable, Codable {
        case create, update, delete, undo
    }
    /// 1, 2, … without gaps.
    public var sequence: Int64
    /// When it was made.
    public var at: Timestamp
    /// Id of the API key, or another name for who did it.
    public var actor: String
    /// The system it came from: `api`, `cli`, `catalog`, `stripe`, `import`, …
    public var source: String
    public var reason: String?
    public var effectiveAt: Timestamp
    /// All changes of one command have the same.
    public var requestID: String
    public var action: Action
    public var kind: RecordKind
    public var id: String
    /// The customer that the record belongs to; nil for the catalog's.
    public var customer: CustomerID?
    public var patch: JSONValue
    /// The record as it was just before `effectiveAt`, and as it is from then on.
    public var before: JSONValue?
    public var after: JSONValue?
    /// For `undo`: the sequence of the change that is taken out.
    public var undoes: Int64?

    public init(
        sequence: Int64 = 0, at: Timestamp, actor: String, source: String, reason: String? = nil,
        effectiveAt: Timestamp, requestID: String, action: Action, kind: RecordKind, id: String,
        customer: CustomerID? = nil, patch: JSONValue, before: JSONValue? = nil,
        after: JSONValue? = nil, undoes: Int64? = nil
    ) {
        self.sequence = sequence
        self.at = at
        self.actor = actor
        self.source = source
        self.reason = reason
        self.effectiveAt = effectiveAt
        self.requestID = requestID
        self.action = action
        self.kind = kind
        self.id = id
        self.customer = customer
        self.patch = patch
        self.before = before
        self.after = after
        self.undoes = undoes
    }

    /// When the change takes effect, for people: a record that is made holds from the beginning of
    /// time, but what it gives begins at its own start.
    public var shownEffectiveAt: Timestamp {
        guard effectiveAt == .distantPast else { return effectiveAt }
        return after?["start"]?.text.flatMap { Timestamp(rfc3339: $0) } ?? at
    }

    /// The row as JSON, without hashes: what `GET /v1/audit` shows, and in canonical form what the
    /// hash chain is made over.
    public var document: JSONValue {
        .members([
            "seq": .integer(sequence), "at": .string(at.rfc3339()), "actor": .string(actor),
            "source": .string(source), "reason": reason.map(JSONValue.string),
            "effective_at": .string(shownEffectiveAt.rfc3339()),
            "applies_from": shownEffectiveAt == effectiveAt
                ? nil : .string(effectiveAt.rfc3339()),
            "request_id": .string(requestID),
            "action": .string(action.rawValue), "kind": .string(kind.rawValue), "id": .string(id),
            "customer": customer.map { .string($0.rawValue) }, "patch": patch,
            "before": before ?? .null, "after": after ?? .null,
            "undoes": undoes.map { .integer($0) },
        ])
    }
}

/// A record with everything that was done to it and not undone.
public struct RecordHistory: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        public var sequence: Int64
        public var effectiveAt: Timestamp
        public var patch: JSONValue
        public init(sequence: Int64, effectiveAt: Timestamp, patch: JSONValue) {
            self.sequence = sequence
            self.effectiveAt = effectiveAt
            self.patch = patch
        }
    }
    public var kind: RecordKind
    public var id: String
    public var customer: CustomerID?
    /// In the order of (effectiveAt, sequence).
    public private(set) var entries: [Entry]
    /// Sequence of the last change, undone ones included: the record's entity tag.
    public private(set) var revision: Int64

    public init(
        kind: RecordKind, id: String, customer: CustomerID?, entries: [Entry] = [],
        revision: Int64 = 0
    ) {
        self.kind = kind
        self.id = id
        self.customer = customer
        self.entries = entries.sorted { Self.isBefore($0, $1) }
        self.revision = revision
    }

    private static func isBefore(_ left: Entry, _ right: Entry) -> Bool {
        (left.effectiveAt, left.sequence) < (right.effectiveAt, right.sequence)
    }

    public mutating func apply(_ change: ControlChange) {
        revision = max(revision, change.sequence)
        if let undone = change.undoes {
            entries.removeAll { $0.sequence == undone }
            return
        }
        let entry = Entry(
            sequence: change.sequence, effectiveAt: change.effectiveAt, patch: change.patch)
        let place = entries.firstIndex { Self.isBefore(entry, $0) } ?? entries.endIndex
        entries.insert(entry, at: place)
    }

    /// The record at an instant; nil before it was made and after it was deleted.
    public func document(at instant: Timestamp) -> JSONValue? {
        steps.last { $0.from <= instant }?.document
    }

    /// The record as its last change in time leaves it.
    public var latest: JSONValue? { steps.last?.document }

    /// The record through time.
    public var steps: [(from: Timestamp, document: JSONValue?)] {
        var steps: [(from: Timestamp, document: JSONValue?)] = []
        var document: JSONValue?
        for entry in entries {
            let next: JSONValue? =
                entry.patch.isNull ? nil : (document ?? .object([:])).merging(entry.patch)
            document = next
            if steps.last?.from == entry.effectiveAt { steps.removeLast() }
            steps.append((entry.effectiveAt, document))
        }
        return steps
    }
}
