import KafkaClient
import MeteringModel

// Records as a consumer has them.
extension KafkaFixture {
    struct Arrival: Sendable, Hashable {
        var partition: Int32
        var key: String
        var headers: [String: String]
        var value: [UInt8]

        var id: String { headers["id"] ?? "" }
        var text: String { String(decoding: value, as: UTF8.self) }
        var document: Document? { try? JSONParser.parse(value) }
    }

    /// Everything in a topic, in each partition's order, read until there are `count` different
    /// ids and nothing more comes.
    func arrivals(
        in topic: String, partitions: Int32, idCount count: Int
    ) async throws -> [Arrival] {
        let brokers = cluster.bootstrapServers
        return try await onThread {
            let consumer = try KafkaConsumer(
                topic: topic,
                configuration: KafkaConfiguration.consumerDefaults.overridden(by: [
                    "bootstrap.servers": brokers, "group.id": "test-" + topic,
                    "fetch.wait.max.ms": "10",
                ]))
            defer { consumer.close() }
            try consumer.assign(
                Dictionary(uniqueKeysWithValues: (0..<partitions).map { ($0, 0) }))
            var found: [Arrival] = []
            var ids: Set<String> = []
            let deadline = ContinuousClock.now.advanced(by: .seconds(20))
            var quiet = 0
            while ContinuousClock.now < deadline, ids.count < count || quiet < 5 {
                let read = consumer.drain(maxRecords: 1_000, timeoutMilliseconds: 50) {
                    info, key, headers, value in
                    let arrival = Arrival(
                        partition: info.partition,
                        key: String(decoding: Self.bytes(key), as: UTF8.self),
                        headers: Self.headers(Self.bytes(headers)[...]), value: Self.bytes(value))
                    ids.insert(arrival.id)
                    found.append(arrival)
                }
                quiet = read == 0 ? quiet + 1 : 0
            }
            return found
        }
    }

    /// Headers named `id` of everything in the alerts topic, until there are `count` different ones.
    func alertIDs(count: Int) async throws -> [String] {
        try await arrivals(in: Self.alertsTopic, partitions: 1, idCount: count).map(\.id)
    }

    private static func bytes(_ span: RawSpan) -> [UInt8] {
        // SAFETY: the pointer stays inside the closure, which copies.
        unsafe span.withUnsafeBytes { unsafe Array($0) }
    }

    /// Reads what `Record.flatHeaders` writes.
    private static func headers(_ flat: ArraySlice<UInt8>) -> [String: String] {
        var rest = flat
        func number(_ count: Int) -> Int {
            let bytes = rest.prefix(count)
            rest = rest.dropFirst(count)
            return bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        func text(_ count: Int) -> String {
            let bytes = rest.prefix(count)
            rest = rest.dropFirst(count)
            return String(decoding: bytes, as: UTF8.self)
        }
        var headers: [String: String] = [:]
        while !rest.isEmpty {
            let name = text(number(2))
            headers[name] = text(number(4))
        }
        return headers
    }
}

extension [KafkaFixture.Arrival] {
    /// Each id once, where it first came.
    var firsts: [KafkaFixture.Arrival] {
        var seen: Set<String> = []
        return filter { seen.insert($0.id).inserted }
    }

    /// Ids that came again as anything else than what they were.
    var changedIDs: [String] {
        var known: [String: KafkaFixture.Arrival] = [:]
        return compactMap { arrival in
            let first = known[arrival.id] ?? arrival
            known[arrival.id] = first
            return first == arrival ? nil : arrival.id
        }
    }
}
