import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

@Suite("Corrections in the ledger")
struct LedgerCorrectionTests {
    private func record(_ number: Int64 = 1, offset: Int64 = 5) -> CorrectionRecord {
        CorrectionRecord(
            number: number, action: .amend, source: "/a'pi", eventID: "e\u{301}1", reason: "r",
            actor: "k1", customer: "acme", event: LogPosition(partition: 0, offset: 1),
            removed: EventContent(customer: "acme", at: instant, json: "{}"), added: nil,
            position: LogPosition(partition: 0, offset: offset), recordedAt: instant)
    }

    private func correction(_ record: CorrectionRecord, _ delta: UsageDelta) -> LedgerCorrection {
        LedgerCorrection(
            record: record, usage: [delta], rollups: [],
            adjustments: [
                Adjustment(
                    key: delta.key, count: delta.delta.count, value: delta.delta.value,
                    recordedAt: instant, correction: record.origin)
            ], needsRecount: true)
    }

    @Test func aCorrectionIsAppliedOnceAndComesBackAsItWas() throws {
        var fixture = try LedgerFixture()
        try fixture.commit(usage: [delta(30, count: 2)])
        for _ in 0..<2 {
            var batch = fixture.batch()
            batch.corrections = [correction(record(), delta(-20, count: -1))]
            try fixture.commit(batch)
        }
        try fixture.reopen()
        #expect(try fixture.total == 10)
        let id = record().id
        #expect(try fixture.ledger.correction(id) == record())
        #expect(
            try fixture.ledger.corrections(ofEvent: record().eventID, source: "/a'pi")
                == [record()])
        // Ids are bytes: the composed form is another event's.
        #expect(
            try fixture.ledger.corrections(ofEvent: "\u{e9}1", source: "/a'pi").isEmpty)
        #expect(try fixture.ledger.corrections(customer: "beta", after: 0, limit: 9).isEmpty)
        #expect(
            try fixture.ledger.corrections(customer: "acme", after: 0, limit: 9).map(\.sequence)
                == [1])
        #expect(try fixture.ledger.adjustments(customer: "acme").map(\.correction?.id) == [id])
        #expect(try fixture.ledger.pendingCorrections(limit: 9).map(\.id) == [id])
        var effects = LedgerRestatement(at: instant)
        effects.settled = [id]
        try fixture.ledger.restate(effects)
        #expect(try fixture.ledger.pendingCorrections(limit: 9).isEmpty)
    }

    @Test func oneThatTakesOutTooMuchIsSetAsideAndHoldsNobodyUp() throws {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        batch.usage = [delta(5)]
        batch.corrections = [
            correction(record(), delta(-9, count: -2)),
            correction(record(2, offset: 6), delta(-5, count: -1)),
            correction(record(3, offset: 7), delta(-1, count: -1, key: key("nobody"))),
        ]
        let done = try fixture.commit(batch)
        #expect(done.changes.map(\.after.value) == [5])
        #expect(done.corrected.map(\.after.value) == [0])
        #expect(try fixture.total == 0)
        let all = try fixture.ledger.corrections(customer: nil, after: 0, limit: 9).map(\.record)
        #expect(all.map { $0.refusal == nil } == [false, true, false])
        #expect(try fixture.ledger.setAsideCounts() == ["correction_refused": 2])
        #expect(try fixture.ledger.adjustments(customer: nil).count == 1)
        #expect(try fixture.ledger.pendingCorrections(limit: 9).map(\.number) == [2])
    }

    /// A customer that has moved to another zone: the event stands where the old zone's hour, day and
    /// month begin.
    @Test(arguments: RollupWindow.allCases, [-1, 0] as [Int64])
    func anEventIsTakenOutWhereItWasCounted(
        _ window: RollupWindow, _ count: Int64
    ) throws {
        var fixture = try LedgerFixture()
        func rollup(_ start: Timestamp, _ count: Int64, _ value: Int64) -> RollupDelta {
            RollupDelta(
                customer: "acme", meter: delta(1).key.meter, window: window, start: start,
                dimensions: "{}", aggregation: .sum,
                delta: UsageState(count: count, value: value))
        }
        let secondsBefore: [RollupWindow: Int64] = [
            .hour: 2_700, .day: 80_000, .month: 2_500_000,
        ]
        let old = instant.adding(seconds: -(secondsBefore[window] ?? 0))
        var batch = fixture.batch()
        batch.usage = [delta(30, count: 2)]
        batch.rollups = [rollup(old, 2, 30)]
        try fixture.commit(batch)
        var correcting = fixture.batch()
        var correction = correction(record(), delta(-20, count: count))
        correction.rollups = [
            LedgerCorrection.Rollup(
                delta: rollup(instant.adding(seconds: -60), count, -20), otherDimensions: "{}")
        ]
        correcting.corrections = [correction]
        try fixture.commit(correcting)
        let rows = try fixture.ledger.rollups(
            RollupQuery(
                customer: "acme", meter: delta(1).key.meter, window: window,
                from: .distantPast, to: .distantFuture))
        #expect(rows.map(\.start) == [old])
        #expect(rows.map(\.state) == [UsageState(count: 2 + count, value: 10)])
    }

    @Test func anEventIsFoundByItsMark() throws {
        var fixture = try LedgerFixture()
        for round in Int64(0)..<3 {
            var batch = fixture.batch(length: 10, at: instant.adding(seconds: round * 60))
            batch.dedupeMarks = [
                DedupeMark(
                    fingerprint: UInt64(round + 1),
                    // Content above the 48 bits of the place.
                    offset: Int64(bitPattern: 0xabcd_0000_0000_0000) | (fixture.offset + 3))
            ]
            try fixture.commit(batch)
        }
        #expect(
            try fixture.ledger.position(ofEvent: 2) == LogPosition(partition: 0, offset: 13))
        #expect(try fixture.ledger.position(ofEvent: 9) == nil)
        #expect(try fixture.ledger.countedOffsets(partition: 0, in: 0..<14) == [3, 13])
        #expect(try fixture.ledger.countedOffsets(partition: 1, in: 0..<14) == nil)
        #expect(
            try fixture.ledger.firstOffsets(appendedSince: instant.adding(seconds: 61)) == [0: 20])
        #expect(try fixture.ledger.firstOffsets(appendedSince: instant).isEmpty)
    }
}
