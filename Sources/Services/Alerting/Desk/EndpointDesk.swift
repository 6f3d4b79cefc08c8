import MeteringModel
package import MeteringPorts

/// What people do with endpoints. Their documents, and that somebody rotated a secret, enabled an
/// endpoint or sent again, are changes of audited records; lines and secrets are the store's.
package final class EndpointDesk: AlertDesk {
    package struct Parts: Sendable {
        package var records: any RecordKeeping
        package var store: any AlertStore
        package var book: EndpointBook
        package var reader: EndpointReader
        package var secrets: EndpointSecrets
        package var vault: any AlertVault
        package var transports: @Sendable (AlertEndpoint.Kind) -> any AlertTransport
        package var clock: WallClock
        package init(
            records: any RecordKeeping, store: any AlertStore, book: EndpointBook,
            reader: EndpointReader, secrets: EndpointSecrets, vault: any AlertVault,
            transports: @escaping @Sendable (AlertEndpoint.Kind) -> any AlertTransport,
            clock: WallClock
        ) {
            self.records = records
            self.store = store
            self.book = book
            self.reader = reader
            self.secrets = secrets
            self.vault = vault
            self.transports = transports
            self.clock = clock
        }
    }

    let parts: Parts
    let settings: AlertSettings

    package init(_ parts: Parts, settings: AlertSettings = AlertSettings()) {
        self.parts = parts
        self.settings = settings
    }

    package func perform(_ command: AlertCommand) async throws(ControlProblem) -> ControlAnswer {
        let answer: ControlAnswer
        switch command.operation {
        case .create:
            let id = try command.body["id"].map { (value) throws(ControlProblem) in
                guard let id = value.text else {
                    throw ControlProblem.invalid("invalid_id", "id must be a string", "id")
                }
                return id
            }
            answer = try await create(id ?? "ep_" + hexadecimal(8), command)
        case .put(let id): answer = try await put(id, command)
        case .patch(let id): answer = try await patch(id, command)
        case .delete(let id): answer = try await delete(id, command)
        case .rotateSecret(let id): answer = try await rotateSecret(id, command)
        case .test(let id): answer = try await test(id)
        case .enable(let id): answer = try await enable(id, command)
        case .resend(let id, let message): answer = try await resend(id, message, command)
        case .resendRange(let id): answer = try await resendRange(id, command)
        }
        parts.book.refresh()
        return answer
    }

    package func read(_ query: AlertQuery) async throws(ControlProblem) -> ControlAnswer {
        guard (1...1_000).contains(query.limit) else {
            throw .invalid("invalid_limit", "limit must be 1 to 1000", "limit")
        }
        switch query.subject {
        case .endpoints: return try list(query)
        case .endpoint(let id): return try view(id)
        case .deliveries(let id, let state): return try deliveries(id, state, query)
        case .delivery(let id, let message): return try delivery(id, message)
        }
    }

    // MARK: helpers

    func hexadecimal(_ byteCount: Int) -> String {
        parts.vault.randomBytes(byteCount).map {
            ($0 < 16 ? "0" : "") + String($0, radix: 16)
        }.joined()
    }

    func history(_ id: String) throws(ControlProblem) -> RecordHistory {
        guard let history = try parts.records.history(.alertEndpoint, id), history.latest != nil
        else { throw Self.notFound(id) }
        return history
    }

    func endpoint(_ id: String) throws(ControlProblem) -> AlertEndpoint {
        try parts.reader.read(id, try history(id).latest ?? .null)
    }

    static func notFound(_ id: String) -> ControlProblem {
        ControlProblem(.notFound, "not_found", "there is no alert endpoint \"\(id)\"")
    }
}
