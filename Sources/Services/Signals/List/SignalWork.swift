import MeteringModel
import MeteringPorts

/// What people did about one signal: the audited record, and how it hides the signal.
struct SignalWork: Sendable, Hashable {
    struct Note: Sendable, Hashable {
        var at: Timestamp
        var by: String
        var text: String
    }
    struct Acknowledgement: Sendable, Hashable {
        var at: Timestamp
        var by: String
        /// What was acknowledged: when it gets worse, the signal is open again.
        var severity: SignalSeverity
    }
    struct Snooze: Sendable, Hashable {
        var by: String
        var severity: SignalSeverity
        /// Until this instant, or until the quota's share reaches a threshold.
        var until: Timestamp?
        var shareBasisPoints: Int64?
    }
    static let notesMax = 100
    static let noteBytesMax = 2_000
    static let ownerBytesMax = 200

    var acknowledgement: Acknowledgement?
    var snooze: Snooze?
    var owner: String?
    var notes: [Note] = []

    /// `open`, `acknowledged` or `snoozed`.
    func state(of signal: Signal, at now: Timestamp) -> String {
        if let snooze, signal.severity <= snooze.severity {
            if let until = snooze.until, now < until { return "snoozed" }
            if let share = snooze.shareBasisPoints, signal.shareBasisPoints ?? 0 < share {
                return "snoozed"
            }
        }
        if let acknowledgement, signal.severity <= acknowledgement.severity {
            return "acknowledged"
        }
        return "open"
    }
}

// MARK: the record's document

extension SignalWork {
    init(_ document: JSONValue?) {
        self.init()
        guard let document else { return }
        func time(_ name: String, in value: JSONValue) -> Timestamp? {
            value[name]?.text.flatMap { Timestamp(rfc3339: $0) }
        }
        func severity(_ value: JSONValue) -> SignalSeverity {
            value["severity"]?.text.flatMap { SignalSeverity($0) } ?? .low
        }
        if let seen = document["acknowledged"], let at = time("at", in: seen) {
            acknowledgement = Acknowledgement(
                at: at, by: seen["by"]?.text ?? "", severity: severity(seen))
        }
        if let rest = document["snoozed"], !rest.isNull {
            snooze = Snooze(
                by: rest["by"]?.text ?? "", severity: severity(rest),
                until: time("until", in: rest),
                shareBasisPoints: rest["until_share_basis_points"]?.integer)
        }
        owner = document["owner"]?.text
        notes = (document["notes"]?.elements ?? []).compactMap { note in
            guard let at = time("at", in: note), let text = note["text"]?.text else { return nil }
            return Note(at: at, by: note["by"]?.text ?? "", text: text)
        }
    }

    /// What stands in every answer.
    var members: [String: JSONValue?] {
        [
            "acknowledged": acknowledgement.map {
                .members([
                    "at": .string($0.at.rfc3339()), "by": .string($0.by),
                    "severity": .string($0.severity.word),
                ])
            },
            "snoozed": snooze.map {
                .members([
                    "by": .string($0.by), "severity": .string($0.severity.word),
                    "until": $0.until.map { .string($0.rfc3339()) },
                    "until_share_basis_points": $0.shareBasisPoints.map { .integer($0) },
                ])
            },
            "owner": owner.map { .string($0) },
            "notes": notes.isEmpty
                ? nil
                : .array(
                    notes.map {
                        .members([
                            "at": .string($0.at.rfc3339()), "by": .string($0.by),
                            "text": .string($0.text),
                        ])
                    }),
        ]
    }

    /// The whole record; it says what the signal was, for who reads the log when it is gone.
    func document(of signal: Signal) -> JSONValue {
        var members = members
        members["id"] = .string(signal.id)
        members["kind"] = .string(signal.kind.rawValue)
        members["customer"] = .string(signal.customer.rawValue)
        members["feature"] = signal.feature.map { .string($0.rawValue) }
        members["told"] = .string(signal.reason)
        return .members(members)
    }
}

// MARK: commands

extension SignalWork {
    /// Does what a command asks.
    /// - Throws: what is wrong with its body, and what to send instead.
    mutating func apply(
        _ command: SignalCommand, to signal: Signal, at now: Timestamp
    ) throws(ControlProblem) {
        try Self.requireKnown(command)
        let actor = command.context.principal.id
        switch command.action {
        case .acknowledge:
            acknowledgement = Acknowledgement(at: now, by: actor, severity: signal.severity)
            snooze = nil
        case .snooze:
            snooze = try Self.snooze(command.body, signal, actor, now)
        case .assign:
            owner = try Self.owner(command.body)
        case .note:
            if notes.count >= Self.notesMax {
                throw ControlProblem(
                    .conflict, "too_many_notes",
                    "a signal keeps \(Self.notesMax) notes; write longer matters elsewhere and "
                        + "note where")
            }
            notes.append(
                Note(
                    at: now, by: actor,
                    text: try Self.text(command.body, "text", bytesMax: Self.noteBytesMax)))
        }
    }

    private static func requireKnown(_ command: SignalCommand) throws(ControlProblem) {
        let known: [String] =
            switch command.action {
            case .acknowledge: []
            case .snooze: ["until"]
            case .assign: ["owner"]
            case .note: ["text"]
            }
        for name in (command.body.object ?? [:]).keys.sorted() where !known.contains(name) {
            throw ControlProblem(
                .invalid, "unknown_member",
                "there is no member \"\(name.prefix(100))\" here; "
                    + (known.isEmpty ? "none is needed" : "known is \(known.joined())"),
                field: String(name.prefix(100)))
        }
    }

    private static func snooze(
        _ body: JSONValue, _ signal: Signal, _ actor: String, _ now: Timestamp
    ) throws(ControlProblem) -> Snooze {
        let help = "until must be a time to come such as 2026-12-01T00:00:00Z, or next_threshold"
        guard let text = body["until"]?.text else {
            throw ControlProblem(.invalid, "invalid_until", help, field: "until")
        }
        if text == "next_threshold" {
            guard let share = signal.shareBasisPoints else {
                throw ControlProblem(
                    .unprocessable, "no_threshold",
                    "a signal of kind \(signal.kind.rawValue) has no thresholds; snooze it until a "
                        + "time", field: "until")
            }
            guard let next = signal.thresholdShares.first(where: { $0 > share }) else {
                throw ControlProblem(
                    .unprocessable, "no_threshold",
                    "its quota has no threshold above "
                        + "\(SignalText.percent(basisPoints: share)); snooze it until a time",
                    field: "until")
            }
            return Snooze(by: actor, severity: .critical, shareBasisPoints: next)
        }
        guard let until = Timestamp(rfc3339: text), until > now else {
            throw ControlProblem(.invalid, "invalid_until", help, field: "until")
        }
        return Snooze(by: actor, severity: signal.severity, until: until)
    }

    private static func owner(_ body: JSONValue) throws(ControlProblem) -> String? {
        if body["owner"]?.isNull == true { return nil }
        return try text(body, "owner", bytesMax: ownerBytesMax)
    }

    private static func text(
        _ body: JSONValue, _ name: String, bytesMax: Int
    ) throws(ControlProblem) -> String {
        guard let text = body[name]?.text, !text.isEmpty, text.utf8.count <= bytesMax,
            !text.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\n" && $0 != "\t" })
        else {
            throw ControlProblem(
                .invalid, "invalid_\(name)",
                "\(name) must be a text of 1 to \(bytesMax) bytes without control characters",
                field: name)
        }
        return text
    }
}
