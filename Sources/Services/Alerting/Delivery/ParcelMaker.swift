import MeteringModel
import MeteringPorts

/// Forms requests of what waits at the front of a line.
struct ParcelMaker: Sendable {
    /// A request, and the deliveries that it carries.
    struct Load: Sendable {
        var parcel: AlertParcel
        var sequences: [Int64]
        /// Attempts of the first delivery so far.
        var attemptCount: Int
        /// Whether its deliveries must be bound to the parcel's id before it is sent.
        var mustBind: Bool
    }

    /// Slack takes 50 blocks a post.
    private static let slackMembersMax = 40

    let settings: AlertSettings

    /// In order; empty for an empty line.
    func loads(_ deliveries: [AlertDelivery], for endpoint: AlertEndpoint) -> [Load] {
        switch endpoint.kind {
        case .kafka: return records(deliveries)
        case .webhook, .slack: break
        }
        var loads: [Load] = []
        var rest = deliveries[...]
        // What was bound before goes as it was bound, also when the option has changed since.
        while let carrier = rest.first?.carrier {
            let members = rest.prefix { $0.carrier?.utf8.elementsEqual(carrier.utf8) ?? false }
            loads.append(bound(Array(members), carrier: carrier, mustBind: false))
            rest = rest.dropFirst(members.count)
        }
        let free = rest.prefix { $0.carrier == nil }
        if let over = endpoint.digest.over, free.count > over {
            return loads + digests(Array(free), for: endpoint)
        }
        return loads + free.map(single)
    }

    private func single(_ delivery: AlertDelivery) -> Load {
        let message = delivery.message
        return Load(
            parcel: AlertParcel(
                id: message.id, members: [message], body: Array(message.body.utf8)),
            sequences: [delivery.sequence], attemptCount: delivery.attemptCount, mustBind: false)
    }

    private func records(_ deliveries: [AlertDelivery]) -> [Load] {
        guard let first = deliveries.first else { return [] }
        let members = deliveries.prefix(settings.digestMembersMax)
        return [
            Load(
                parcel: AlertParcel(
                    id: first.message.id, members: members.map(\.message), body: []),
                sequences: members.map(\.sequence), attemptCount: first.attemptCount,
                mustBind: false)
        ]
    }

    /// As few digests as hold them all, each below the bounds.
    private func digests(_ deliveries: [AlertDelivery], for endpoint: AlertEndpoint) -> [Load] {
        let membersMax =
            endpoint.kind == .slack ? Self.slackMembersMax : settings.digestMembersMax
        var loads: [Load] = []
        var members: [AlertDelivery] = []
        var byteCount = 0
        func close() {
            guard let first = members.first, let last = members.last else { return }
            if members.count == 1 {
                loads.append(single(first))
            } else {
                let carrier = "digest-\(endpoint.id)-\(first.sequence)-\(last.sequence)"
                loads.append(bound(members, carrier: carrier, mustBind: true))
            }
            members = []
            byteCount = 0
        }
        // The frame around the members takes less than this.
        let bytesMax = settings.bodyBytesMax - 200
        for delivery in deliveries {
            let bytes = Self.element(delivery.message).utf8.count + 1
            if members.count == membersMax || byteCount + bytes > bytesMax { close() }
            members.append(delivery)
            byteCount += bytes
        }
        close()
        return loads
    }

    private func bound(_ members: [AlertDelivery], carrier: String, mustBind: Bool) -> Load {
        let messages = members.map(\.message)
        let elements = messages.map(Self.element).joined(separator: ",")
        let body = MessageText.body(
            type: "alerts.digest", at: messages.last?.at ?? .distantPast,
            data: "{\"count\":\(messages.count),\"messages\":[\(elements)]}")
        return Load(
            parcel: AlertParcel(id: carrier, members: messages, body: Array(body.utf8)),
            sequences: members.map(\.sequence), attemptCount: members.first?.attemptCount ?? 0,
            mustBind: mustBind)
    }

    /// A member of a digest: the message's own body, with its id.
    private static func element(_ message: AlertMessage) -> String {
        "{\"id\":\(CanonicalJSON.string(message.id)),\(message.body.dropFirst())"
    }
}
