package import MeteringModel
package import MeteringPorts

/// Where alerts go, as its record says it.
package struct AlertEndpoint: Sendable, Hashable {
    package enum Kind: String, Sendable, CaseIterable { case webhook, slack, kafka }

    /// When several messages are told in one request.
    package struct Digest: Sendable, Hashable {
        /// At most one request in so many seconds.
        package var everySeconds: Int64
        /// More waiting messages than this are told together; nil: never.
        package var over: Int?
    }

    /// An empty list lets everything through.
    package struct Filter: Sendable, Hashable {
        package var plans: [PlanKey] = []
        package var features: [FeatureKey] = []
        package var customers: [CustomerID] = []
        package var owners: [String] = []
        /// In hundredths of a percent of the limit; messages without a level pass.
        package var levelMin: Int64?
    }

    package var id: String
    package var kind: Kind
    /// Of webhooks and Slack; without its secret part where `sealedAddress` is set.
    package var url: String
    /// Reference of the whole address in the store.
    package var sealedAddress: String?
    /// Of Kafka.
    package var topic: String
    /// Exact types, or `prefix.*`; none: all.
    package var types: [String]
    package var filter: Filter
    package var isEnabled: Bool
    package var digest: Digest
    package var settleSeconds: Int64
    package var timeoutSeconds: Int
    package var headers: [OutboundHeader]

    /// Whether the filter lets a message through, whatever its type.
    package func isOpen(to message: AlertMessage) -> Bool {
        func passes<Value: Equatable>(_ list: [Value], _ value: Value?) -> Bool {
            if list.isEmpty { return true }
            guard let value else { return false }
            return list.contains(value)
        }
        if let levelMin = filter.levelMin, let level = message.levelBasisPoints, level < levelMin {
            return false
        }
        return passes(filter.plans, message.plan) && passes(filter.features, message.feature)
            && passes(filter.customers, message.customer)
            && passes(filter.owners.map { Array($0.utf8) }, message.owner.map { Array($0.utf8) })
    }

    package func wants(type: String) -> Bool {
        types.isEmpty
            || types.contains { known in
                known.hasSuffix(".*") ? type.hasPrefix(known.dropLast()) : known == type
            }
    }

    package func takes(_ message: AlertMessage) -> Bool {
        wants(type: message.type) && isOpen(to: message)
    }
}
