import MeteringModel
import MeteringPorts

/// The answers to the latest requests that made keys, in memory only: they hold secrets.
struct RecentKeys {
    private static let countMax = 64

    private var answers: [(id: String, answer: ControlAnswer)] = []

    mutating func keep(_ answer: ControlAnswer, of id: String) {
        answers.append((id, answer))
        if answers.count > Self.countMax { answers.removeFirst() }
    }

    /// What a request is answered whose idempotency key has made a key already.
    func answer(
        for key: StoredAccessKey, asked request: KeyRequest
    ) throws(ControlProblem) -> ControlAnswer {
        let isSame =
            key.name == request.name && key.scopes == request.scopes
            && key.customer == request.customer && key.expiresAt == request.expiresAt
        guard isSame else {
            throw ControlProblem(
                .conflict, "idempotency_key_reused",
                "this idempotency key has made \(key.id), with another body")
        }
        if let known = answers.last(where: { $0.id == key.id }) { return known.answer }
        throw ControlProblem(
            .conflict, "secret_not_kept",
            "this request has made the key \(key.id), and its secret was shown then; revoke that key"
                + " and make another with a new idempotency key")
    }
}
