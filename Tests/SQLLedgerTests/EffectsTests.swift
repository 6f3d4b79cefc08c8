import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

@Suite("What a batch does besides usage")
struct EffectsTests {
    @Test func aCrossingHasOneRow() throws {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        batch.usage = [delta(90)]
        let first = try fixture.commit(batch) { crossing($0, at: 80) }
        #expect(first.newCrossings.count == 1)
        // The row falls below the level and crosses it again: the same crossing, not a new one.
        try fixture.commit(usage: [delta(-50)])
        batch = fixture.batch()
        batch.usage = [delta(60)]
        let again = try fixture.commit(batch) { crossing($0, at: 80) }
        #expect(again.newCrossings.map(\.id) == first.newCrossings.map(\.id))
        let stored = try fixture.ledger.crossings(customer: nil, since: nil, after: 0, limit: 10)
        #expect(stored.map(\.crossing.id) == first.newCrossings.map(\.id))
        #expect(stored.map(\.crossing.resolvedAt) == [nil])
        #expect(stored.map(\.sequence) == [1])
    }

    @Test func aFencedBatchScoresNothing() throws {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        batch.usage = [delta(90)]
        try fixture.commit(batch)
        var calls = 0
        _ = ledgerError {
            _ = try fixture.ledger.commit(batch) { _ in
                calls += 1
                return []
            }
        }
        #expect(calls == 0)
    }

    @Test func everyFormOfACrossingComesBackAsItWas() throws {
        var fixture = try LedgerFixture()
        var made: [Crossing] = []
        for threshold in [Threshold.share(basisPoints: 9_950), .absolute(-3)] {
            for limit in [Limit.finite(0), .unlimited] {
                made.append(
                    Crossing(
                        customer: "a'b", feature: "ß", meter: "m", period: .lifetime,
                        threshold: threshold, limit: limit, usedBefore: .min, usedAfter: .max,
                        scale: 6, source: "plan \"x\" v2", crossedAt: instant))
            }
        }
        var batch = fixture.batch()
        batch.usage = [delta(1)]
        let done = try fixture.commit(batch) { _ in made }
        #expect(done.newCrossings == made)
        let stored = try fixture.ledger.crossings(
            customer: "a'b", since: instant, after: 0, limit: 10)
        #expect(stored.map(\.crossing) == made)
    }

    @Test func dedupeMarksComeBackInOrder() throws {
        var fixture = try LedgerFixture()
        var numbers = SeededNumbers(seed: 7)
        var written: [DedupeMark] = []
        for round in 0..<5 {
            var batch = fixture.batch(length: 100, at: instant.adding(seconds: Int64(round)))
            batch.dedupeMarks = (0..<100).map {
                DedupeMark(fingerprint: numbers.next(), offset: fixture.offset + $0)
            }
            if round >= 2 { written += batch.dedupeMarks }
            try fixture.commit(batch)
        }
        // A batch without marks leaves no block.
        try fixture.commit(fixture.batch(at: instant.adding(seconds: 9)))
        try fixture.reopen()
        let since = instant.adding(seconds: 2)
        var read: [DedupeMark] = []
        var times: [Timestamp] = []
        try fixture.ledger.dedupeMarks(partition: 0, since: since) {
            read.append($0)
            times.append($1)
        }
        #expect(read == written)
        #expect(times == times.sorted())
        #expect(times.first == since)
        try fixture.ledger.dedupeMarks(partition: 1, since: .distantPast) { _, _ in
            Issue.record("another partition's mark")
        }
    }

    @Test func pruneDropsWhatIsOld() throws {
        var fixture = try LedgerFixture()
        for round in 0..<3 {
            let at = instant.adding(seconds: Int64(round))
            var batch = fixture.batch(at: at)
            batch.dedupeMarks = [DedupeMark(fingerprint: UInt64(round), offset: fixture.offset)]
            batch.admissions = [admission("id\(round)", at: at)]
            batch.reservations = [
                .opened(reservation("r\(round)", expires: at)),
                .opened(reservation("open\(round)", expires: at)),
                .closed(id: "r\(round)", state: .released, committed: 0),
            ]
            try fixture.commit(batch)
        }
        try fixture.ledger.prune(
            dedupeBefore: instant.adding(seconds: 1), admissionsBefore: instant.adding(seconds: 2))
        var fingerprints: [UInt64] = []
        try fixture.ledger.dedupeMarks(partition: 0, since: .distantPast) { mark, _ in
            fingerprints.append(mark.fingerprint)
        }
        #expect(fingerprints == [1, 2])
        #expect(try fixture.ledger.admissions(since: .distantPast).map(\.id) == ["id2"])
        #expect(try fixture.ledger.reservation("r1") == nil)
        #expect(try fixture.ledger.reservation("r2")?.state == .released)
        #expect(try fixture.ledger.openReservations().map(\.id) == ["open0", "open1", "open2"])
    }

    @Test func setAsideOncePerRecord() throws {
        var fixture = try LedgerFixture()
        let dead = SetAsideEvent(
            kind: .deadLetter, partition: 0, offset: 4, appendedAt: instant, reason: "malformed",
            detail: "no id", headers: [1, 2], payload: Array("{".utf8))
        let waiting = SetAsideEvent(
            kind: .quarantine, partition: 0, offset: 5, appendedAt: instant,
            reason: "unknown_subject", detail: "", subject: "key_9", payload: [])
        for _ in 0..<2 {
            var batch = fixture.batch()
            batch.setAside = [dead, waiting]
            try fixture.commit(batch)
        }
        let ledger = fixture.ledger
        #expect(
            try ledger.setAside(kind: nil, after: 0, limit: 10).map(\.event) == [dead, waiting])
        let quarantined = try ledger.setAside(kind: .quarantine, after: 0, limit: 10)
        #expect(quarantined.map(\.event) == [waiting])
        #expect(try ledger.setAsideCounts() == ["malformed": 1, "unknown_subject": 1])
        try ledger.markRedriven(quarantined.map(\.sequence))
        #expect(try ledger.setAsideCounts() == ["malformed": 1])
        #expect(try ledger.setAside(kind: nil, after: 0, limit: 10).map(\.event) == [dead])
        // A replay of the record does not bring the re-driven event back.
        var batch = fixture.batch()
        batch.setAside = [waiting]
        try fixture.commit(batch)
        #expect(try ledger.setAside(kind: .quarantine, after: 0, limit: 10) == [])
    }

    @Test func theFirstAdmissionOfAnIdStays() throws {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        var other = admission("a", at: instant)
        other.customer = "other"
        batch.admissions = [admission("a", at: instant), other]
        try fixture.commit(batch)
        batch = fixture.batch()
        var second = admission("a", at: instant.adding(seconds: 5))
        second.answer = "{\"allowed\":false}"
        batch.admissions = [second]
        try fixture.commit(batch)
        #expect(
            Set(try fixture.ledger.admissions(since: instant))
                == [admission("a", at: instant), other])
        #expect(try fixture.ledger.admissions(since: instant.adding(seconds: 1)) == [])
    }

    @Test func onlyAnOpenReservationCloses() throws {
        var fixture = try LedgerFixture()
        let hold = reservation("r", expires: instant)
        var batch = fixture.batch()
        batch.reservations = [.opened(hold), .closed(id: "never", state: .released, committed: 0)]
        try fixture.commit(batch)
        #expect(try fixture.ledger.openReservations() == [hold])
        batch = fixture.batch()
        batch.reservations = [
            .closed(id: "r", state: .committed, committed: 3),
            .closed(id: "r", state: .expired, committed: 0), .opened(hold),
        ]
        try fixture.commit(batch)
        let closed = try #require(try fixture.ledger.reservation("r"))
        #expect(closed.state == .committed)
        #expect(closed.committed == 3)
        #expect(closed.period == month)
        #expect(try fixture.ledger.openReservations() == [])
        #expect(try fixture.ledger.reservation("never") == nil)
    }

    @Test func adjustmentsAreKept() throws {
        var fixture = try LedgerFixture()
        let mine = Adjustment(key: key(), count: 2, value: -5, recordedAt: instant)
        let theirs = Adjustment(key: key("other"), count: 1, value: 1, recordedAt: instant)
        var batch = fixture.batch()
        batch.adjustments = [mine, theirs]
        try fixture.commit(batch)
        #expect(try fixture.ledger.adjustments(customer: nil) == [mine, theirs])
        #expect(try fixture.ledger.adjustments(customer: "other") == [theirs])
    }
}

private func admission(_ id: String, at: Timestamp) -> AdmissionRecord {
    AdmissionRecord(
        customer: "acme", feature: "chat", id: id, quantity: 1, admittedAt: at,
        answer: "{\"allowed\":true}")
}

private func reservation(_ id: String, expires: Timestamp) -> Reservation {
    Reservation(
        id: id, customer: "acme", feature: "chat", quantity: 5, period: month, expiresAt: expires)
}
