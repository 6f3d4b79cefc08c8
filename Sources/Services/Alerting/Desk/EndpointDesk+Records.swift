import MeteringModel
import MeteringPorts

// Making, changing and ending endpoints.
extension EndpointDesk {
    /// What stands in the place of an address's secret part.
    private static let hidden = "/…"

    func create(
        _ id: String, _ command: AlertCommand
    ) async throws(ControlProblem) -> ControlAnswer {
        try await write(id, command) { (before) throws(ControlProblem) in
            if before != nil {
                throw ControlProblem(
                    .conflict, "already_exists",
                    "there is an alert endpoint \"\(id)\"; change it with PUT or PATCH",
                    field: "id")
            }
            return command.body
        }
    }

    func put(_ id: String, _ command: AlertCommand) async throws(ControlProblem) -> ControlAnswer {
        try await write(id, command) { (_) throws(ControlProblem) in command.body }
    }

    func patch(
        _ id: String, _ command: AlertCommand
    ) async throws(ControlProblem) -> ControlAnswer {
        try await write(id, command) { (before) throws(ControlProblem) in
            guard let before else { throw Self.notFound(id) }
            return before.merging(command.body)
        }
    }

    /// What waits for it is cancelled; the next look at the lines does that.
    func delete(
        _ id: String, _ command: AlertCommand
    ) async throws(ControlProblem) -> ControlAnswer {
        try await parts.records.change(
            .alertEndpoint, id, customer: nil, command.context, digest: command.digest
        ) { (before) throws(ControlProblem) in
            guard before != nil else { throw Self.notFound(id) }
            return (nil, ControlAnswer(body: .object(["deleted": .string(id)])))
        }
    }

    private func write(
        _ id: String, _ command: AlertCommand,
        _ make: @escaping @Sendable (JSONValue?) throws(ControlProblem) -> JSONValue
    ) async throws(ControlProblem) -> ControlAnswer {
        try EndpointReader.requireID(id)
        if command.context.effectiveAt != nil {
            throw .invalid(
                "changes_at_once", "an alert endpoint changes at once; leave effective_at out",
                "effective_at")
        }
        let (reader, secrets) = (parts.reader, parts.secrets)
        var answer = try await parts.records.change(
            .alertEndpoint, id, customer: nil, command.context, digest: command.digest
        ) { (before) throws(ControlProblem) in
            var document = try make(before)
            // Only this service writes these.
            document = document.merging(
                .object([
                    "url_reference": before?["url_reference"] ?? .null,
                    "last_action": before?["last_action"] ?? .null,
                ]))
            document = try Self.hidingAddress(document, before, reader, secrets, id)
            let endpoint = try reader.read(id, document)
            if endpoint.sealedAddress == nil {
                document = document.merging(.object(["url_reference": .null]))
            }
            document = document.merging(.object(["id": .string(id)]))
            return (
                document,
                ControlAnswer(
                    status: before == nil ? 201 : 200, body: Self.shown(document),
                    location: before == nil ? "/v1/alert-endpoints/\(id)" : nil)
            )
        }
        if command.context.isDryRun { return answer }
        let history = try history(id)
        answer.entityTag = String(history.revision)
        // The first secret is shown with the endpoint. Not a part of the kept answer: a repetition
        // under the same idempotency key does not show it again.
        if history.latest?["kind"]?.text == AlertEndpoint.Kind.webhook.rawValue,
            try asking({ () throws(LedgerError) in try !secrets.exists(id) })
        {
            let secret = try secrets.make(
                id, at: parts.clock.now(), oldSecretSeconds: settings.oldSecretSeconds)
            answer.body = answer.body.merging(.object(["secret": .string(secret)]))
        }
        return answer
    }

    /// Slack's addresses are secrets: whoever has one can post. The record, which the audit log
    /// shows, gets the host only; the address itself is kept encrypted.
    private static func hidingAddress(
        _ document: JSONValue, _ before: JSONValue?, _ reader: EndpointReader,
        _ secrets: EndpointSecrets, _ id: String
    ) throws(ControlProblem) -> JSONValue {
        guard let url = document["url"]?.text else {
            return document.merging(.object(["url_reference": .null]))
        }
        var plain = document.merging(.object(["url_reference": .null]))
        if document["kind"]?.text != AlertEndpoint.Kind.slack.rawValue { return plain }
        // A document as it was shown, put back: the address stays.
        if url.hasSuffix(hidden), before?["url"]?.text == url,
            before?["url_reference"]?.text != nil
        {
            return document
        }
        // Checked as it is before it is hidden.
        _ = try reader.read(id, plain)
        plain = plain.merging(
            .object([
                "url": .string(origin(of: url) + hidden),
                "url_reference": .string(try secrets.hide(url)),
            ]))
        return plain
    }

    /// Scheme, host and port.
    private static func origin(of url: String) -> String {
        guard let colon = url.firstRange(of: "://") else { return "" }
        let rest = url[colon.upperBound...]
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        return String(url[..<end])
    }

    /// A document without what is only for this service.
    static func shown(_ document: JSONValue) -> JSONValue {
        document.merging(.object(["url_reference": .null]))
    }
}
