import MeteringModel
import MeteringPorts

// What is done with an endpoint without changing what it is. Each leaves a trace in its record, and
// so in the audit log: who, when, why.
extension EndpointDesk {
    /// Writes the trace, before the action itself: an action without a trace must not be.
    /// - Returns: when the action was first asked for, and whether that was now. The same
    ///   idempotency key again brings the first time back.
    private func trace(
        _ action: String, _ id: String, _ command: AlertCommand
    ) async throws(ControlProblem) -> (asked: Timestamp, isFirst: Bool) {
        let now = parts.clock.now()
        // Tells our own writing from an answer that was kept.
        let mark = hexadecimal(8)
        let answer = try await parts.records.change(
            .alertEndpoint, id, customer: nil, command.context, digest: command.digest
        ) { (before) throws(ControlProblem) in
            guard let before else { throw Self.notFound(id) }
            let trace: JSONValue = .object([
                "action": .string(action), "at": .string(now.rfc3339()), "mark": .string(mark),
            ])
            return (
                before.merging(.object(["last_action": trace])),
                ControlAnswer(body: .object(["asked": .integer(now.microseconds), "by": trace]))
            )
        }
        let asked = answer.body["asked"]?.integer.map(Timestamp.init(microseconds:)) ?? now
        return (asked, answer.body["by"]?["mark"]?.text == mark)
    }

    func rotateSecret(
        _ id: String, _ command: AlertCommand
    ) async throws(ControlProblem) -> ControlAnswer {
        if try endpoint(id).kind != .webhook {
            throw .invalid("no_secret", "only webhooks are signed; this is none", "id")
        }
        let trace = try await trace("rotate_secret", id, command)
        if command.context.isDryRun { return ControlAnswer(body: .object([:])) }
        guard trace.isFirst else {
            throw ControlProblem(
                .conflict, "secret_shown_once",
                "the secret was made and shown once, in the first answer under this "
                    + "Idempotency-Key; ask for another under a new key if it was lost",
                field: "Idempotency-Key")
        }
        let now = parts.clock.now()
        let hadSecret = try asking { () throws(LedgerError) in try parts.secrets.exists(id) }
        let secret = try parts.secrets.make(
            id, at: now, oldSecretSeconds: settings.oldSecretSeconds)
        let until = now.adding(seconds: settings.oldSecretSeconds).rfc3339()
        return ControlAnswer(
            status: 201,
            body: .members([
                "id": .string(id), "secret": .string(secret),
                "previous_valid_until": hadSecret ? .string(until) : nil,
            ]))
    }

    /// Outside the line, so that it is answered at once, and tried once only.
    func test(_ id: String) async throws(ControlProblem) -> ControlAnswer {
        let endpoint = try endpoint(id)
        let startedAt = parts.clock.now()
        let type = "alerts.test"
        let message = AlertMessage(
            id: "test-" + hexadecimal(8), type: type, at: startedAt,
            body: MessageText.body(
                type: type, at: startedAt,
                data: JSONValue.object(["endpoint": .string(id)]).canonicalText))
        let verdict = await parts.transports(endpoint.kind).send(
            AlertParcel(
                id: message.id, members: [message], body: Array(message.body.utf8)),
            to: endpoint)
        let microseconds = parts.clock.now().microseconds(since: startedAt)
        return ControlAnswer(
            body: .members([
                "id": .string(message.id),
                "delivered": .bool(verdict.outcome == .delivered),
                "status": verdict.status.map { .integer($0) },
                "detail": .string(verdict.detail),
                "duration_ms": .integer(max(0, microseconds / 1_000)),
            ]))
    }

    func enable(
        _ id: String, _ command: AlertCommand
    ) async throws(ControlProblem) -> ControlAnswer {
        _ = try await trace("enable", id, command)
        if !command.context.isDryRun {
            try asking { () throws(LedgerError) in
                try parts.store.setState(id, EndpointState())
            }
        }
        return try view(id)
    }

    func resend(
        _ id: String, _ message: String, _ command: AlertCommand
    ) async throws(ControlProblem) -> ControlAnswer {
        _ = try history(id)
        let known = try asking { () throws(LedgerError) in try parts.store.message(message) }
        if known == nil {
            throw ControlProblem(
                .notFound, "unknown_message",
                "there is no message \"\(message)\"; finished ones are kept for "
                    + "\(settings.keepDays) days")
        }
        let trace = try await trace("resend", id, command)
        if command.context.isDryRun { return Self.queued(1) }
        return Self.queued(
            try asking { () throws(LedgerError) in
                try parts.store.requeue(
                    id, [message], asked: trace.asked, at: parts.clock.now())
            })
    }

    func resendRange(
        _ id: String, _ command: AlertCommand
    ) async throws(ControlProblem) -> ControlAnswer {
        let endpoint = try endpoint(id)
        let range = Members(command.body, "")
        try range.requireKnown(["from", "to"])
        let from = try Self.instant("from", range)
        let to = try Self.instant("to", range)
        if from >= to { throw .invalid("end_before_start", "to must be later than from", "to") }
        let ids = try messageIDs(from, to, for: endpoint)
        let trace = try await trace("resend_range", id, command)
        if command.context.isDryRun { return Self.queued(ids.count) }
        return Self.queued(
            try asking { () throws(LedgerError) in
                try parts.store.requeue(id, ids, asked: trace.asked, at: parts.clock.now())
            })
    }

    private func messageIDs(
        _ from: Timestamp, _ to: Timestamp, for endpoint: AlertEndpoint
    ) throws(ControlProblem) -> [String] {
        var ids: [String] = []
        var after: Int64 = 0
        while true {
            let page = try asking { () throws(LedgerError) in
                try parts.store.messages(from: from, to: to, after: after, limit: 1_000)
            }
            guard let last = page.last else { return ids }
            after = last.sequence
            ids += page.filter(endpoint.takes).map(\.id)
            if ids.count > settings.resendMax {
                throw .invalid(
                    "too_large",
                    "more than \(settings.resendMax) messages lie in that time; ask for less of it",
                    "to")
            }
        }
    }

    private static func instant(
        _ name: String, _ members: Members
    ) throws(ControlProblem) -> Timestamp {
        guard let text = try members.text(name) else {
            throw .invalid("missing", "\(name) must be a time such as 2026-11-01T00:00:00Z", name)
        }
        guard let instant = Timestamp(rfc3339: text) else {
            throw .invalid(
                "invalid_time", "\(name) must be a time such as 2026-11-01T00:00:00Z", name)
        }
        return instant
    }

    private static func queued(_ count: Int) -> ControlAnswer {
        ControlAnswer(status: 202, body: .object(["queued": .integer(count)]))
    }
}
