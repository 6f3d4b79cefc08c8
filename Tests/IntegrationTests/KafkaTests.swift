import Testing

extension KafkaIntegration {
    /// Events over Kafka, the consumer killed again and again, with and without Redis.
    @Suite(.serialized) struct Kafka {
        enum Store: CaseIterable { case table, redis }

        static let partitionCount = 8
        static let eventCount = 40_000

        /// What was produced and what must come of it.
        struct Plan {
            var records: [KafkaFixture.Record] = []
            /// Places of records that must become dead letters, with the reason.
            var bad: [Int: String] = [:]
            var totals: Set<Totals.Row> = []
            var customersOver: [String: Int64] = [:]
        }

        static func makePlan() -> Plan {
            var plan = Plan()
            var numbers = SeededNumbers(seed: 7)
            var sums: [String: (count: Int64, value: Int64)] = [:]
            for index in 0..<eventCount {
                let subject = Int.random(in: 0..<40, using: &numbers)
                let key = "key_\(subject)"
                let tokens = Int64.random(in: 1...1_500, using: &numbers)
                let record = event(index, key, tokens)
                plan.records.append(record)
                if index % 20 == 0 { plan.records.append(record) }
                let customer = "c\(subject % TraceFixture.customerCount)"
                let old = sums[customer] ?? (0, 0)
                sums[customer] = (old.count + 1, old.value + tokens)
                if index % 200 == 0 { addBad(index / 200, key, &plan) }
            }
            for (customer, sum) in sums {
                plan.totals.insert(
                    .init(customer: customer, meter: "tokens", count: sum.count, value: sum.value))
                plan.totals.insert(
                    .init(customer: customer, meter: "requests", count: sum.count, value: sum.count)
                )
                plan.customersOver[customer] = sum.value
            }
            return plan
        }

        /// Every third one in the binary mode.
        private static func event(
            _ index: Int, _ key: String, _ tokens: Int64
        ) -> KafkaFixture.Record {
            let data = #"{"total_tokens":\#(tokens),"model":"m\#(index % 3)"}"#
            if index % 3 == 0 {
                return .init(
                    key: key,
                    headers: [
                        ("ce_specversion", "1.0"), ("ce_id", "e\(index)"), ("ce_source", "k"),
                        ("ce_type", "llm.request"), ("ce_subject", key),
                        ("content-type", "application/json"),
                    ], data)
            }
            return .init(
                key: key,
                #"{"specversion":"1.0","id":"e\#(index)","source":"k","type":"llm.request","#
                    + #""subject":"\#(key)","data":\#(data)}"#)
        }

        private static func addBad(_ number: Int, _ key: String, _ plan: inout Plan) {
            func event(
                _ data: String = #"{"total_tokens":1}"#, type: String = "llm.request",
                subject: String? = nil, more: String = ""
            ) -> KafkaFixture.Record {
                .init(
                    key: key,
                    #"{"specversion":"1.0","id":"bad\#(number)","source":"k",\#(more)"#
                        + #""type":"\#(type)","subject":"\#(subject ?? key)","data":\#(data)}"#)
            }
            let deep = String(repeating: "[", count: 2_000) + String(repeating: "]", count: 2_000)
            var invalid = event()
            invalid.value = invalid.value.map { bytes in
                bytes.map { $0 == UInt8(ascii: "k") ? 0xFF : $0 }
            }
            var bad: [(String, KafkaFixture.Record)] = [
                ("malformed", .init(key: key, "garbage \(number)")),
                ("null_payload", .init(key: key, nil)),
                ("missing_id", .init(key: key, #"{"specversion":"1.0","type":"llm.request"}"#)),
                ("unknown_subject", event(subject: "nobody")),
                ("unknown_type", event(type: "no.such")),
                ("negative_value", event(#"{"total_tokens":-1}"#)),
                ("value_overflow", event(#"{"total_tokens":9223372036854775808}"#)),
                ("invalid_value", event(#"{"total_tokens":"NaN"}"#)),
                ("too_deep", event(#"{"total_tokens":1,"deep":\#(deep)}"#)),
                ("invalid_utf8", invalid),
                ("time_too_old", event(more: Integration.BadInput.time(-40 * 86_400))),
                ("time_in_future", event(more: Integration.BadInput.time(3_600))),
                ("reserved_type", event(type: "tollgate.admission.v1")),
            ]
            if number == 0 {
                let long = String(repeating: "x", count: 1_100_000)
                bad = [("too_large", event(#"{"total_tokens":1,"text":"\#(long)"}"#))]
            }
            let (reason, record) = bad[number % bad.count]
            plan.bad[plan.records.count] = reason
            plan.records.append(record)
        }

        @Test(arguments: Store.allCases)
        func countsExactlyThroughThreeKills(_ store: Store) async throws {
            let kafka = try KafkaFixture(partitions: Self.partitionCount)
            let redis = store == .redis ? try await RedisServer() : nil
            let server = try TollgateServer(
                catalog: TraceFixture.catalog,
                extra: kafka.flags + (redis.map { ["--redis", $0.url] } ?? []))
            let plan = Self.makePlan()
            let positions = try await kafka.produce(plan.records)
            for _ in 1...3 {
                try await launchUntilCounting(server)
                try await server.killAtOnce()
            }
            try await launchUntilCounting(server)
            try await redis?.command("FLUSHALL")
            try await server.waitUntilReady()

            #expect(try await server.settled(plan.totals) == plan.totals)
            try await expectSetAside(server, plan, positions)
            try await expectAlerts(server, kafka, plan)
            try await consumeOverKafka(server)
            if let redis {
                try await redis.command("FLUSHALL")
                try await expectLevel(server)
            }
            let report = try await server.reconcile()
            #expect(report.drifts == [])
            #expect(!report.notes.contains { $0.contains("not compared") })
            #expect(try await server.stop() == 0)
        }

        /// Starts the process and comes back while it is behind the log.
        private func launchUntilCounting(_ server: TollgateServer) async throws {
            let admin = try freePort()
            try server.launch(admin: admin)
            try await eventually("progress") { () -> Bool? in
                if server.child?.hasEnded == true {
                    throw Unmet("ended: \(server.child?.errors.suffix(2_000) ?? "")")
                }
                guard let answer = try? await server.get("/metrics", port: admin) else {
                    return nil
                }
                let counted = try Metrics(answer.text)[
                    #"tollgate_events_ingested_total{result="counted"}"#]
                return counted ?? 0 > 500 ? true : nil
            }
        }

        private func expectSetAside(
            _ server: TollgateServer, _ plan: Plan, _ positions: [KafkaFixture.Position]
        ) async throws {
            let seen = try await server.setAside()
            let told = Set(seen.map { "\($0.partition)@\($0.offset) \($0.reason)" })
            let expected = Set(
                plan.bad.map { "\(positions[$0].partition)@\(positions[$0].offset) \($1)" })
            #expect(told == expected)
            #expect(seen.count == expected.count)
        }

        private func expectAlerts(
            _ server: TollgateServer, _ kafka: KafkaFixture, _ plan: Plan
        ) async throws {
            let expected = Set(
                plan.customersOver.flatMap { customer, value -> [String] in
                    (value * 2 >= 1_000_000 ? ["\(customer) 50%"] : [])
                        + (value >= 1_000_000 ? ["\(customer) 100%"] : [])
                })
            let alerts = try await server.alerts()
            #expect(Set(alerts.map { "\($0.customer) \($0.threshold)" }) == expected)
            #expect(alerts.count == expected.count)
            let produced = try await kafka.alertIDs(count: alerts.count)
            #expect(Set(produced) == Set(alerts.map(\.id)))
        }

        private func consumeOverKafka(_ server: TollgateServer) async throws {
            for number in 0..<10 {
                let decision = try await server.decision("/v1/consume", Self.question(number))
                #expect(decision.allowed)
                #expect(decision.used == Int64(number + 1) * 7)
            }
            try await server.killAndRestart()
            for number in 0..<10 {
                #expect(try await server.decision("/v1/consume", Self.question(number)).allowed)
            }
            let check = try await server.decision(
                "/v1/check", #"{"customer":"c5","feature":"calls"}"#)
            #expect(check.used == 70)
        }

        private static func question(_ number: Int) -> String {
            #"{"customer":"c5","feature":"calls","quantity":7,"id":"k\#(number)"}"#
        }

        private func expectLevel(_ server: TollgateServer) async throws {
            try await eventually("Redis level with the ledger") { () -> Bool? in
                let readiness: Readiness = try await server.admin("/readyz").read()
                guard readiness.details["redis"] == "ok" else { return nil }
                let report = try await server.reconcile()
                return report.drifts.isEmpty && report.notes.isEmpty ? true : nil
            }
        }
    }
}
