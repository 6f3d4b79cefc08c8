import MeteringModel
import Testing

@Suite struct RFC3339Tests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-21T10:15:02.120Z", 1_795_256_102_120_000),
        ("2026-11-21t10:15:02.12z", 1_795_256_102_120_000),
        ("2026-11-21 10:15:02Z", 1_795_256_102_000_000),
        ("2026-11-21T11:15:02+01:00", 1_795_256_102_000_000),
        ("2026-11-21T04:30:02-05:45", 1_795_256_102_000_000),
        ("2026-11-21T10:15:02-00:00", 1_795_256_102_000_000),
        ("1970-01-01T00:00:00.1Z", 100_000),
        ("1970-01-01T00:00:00.123456Z", 123_456),
        ("1970-01-01T00:00:00.1234569Z", 123_456),
        ("1970-01-01T00:00:00.000000999999999999999999Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
        ("2016-12-31T23:59:60.9Z", 1_483_228_800_000_000),
        ("2016-12-31T15:59:60-08:00", 1_483_228_800_000_000),
        ("2000-02-29T00:00:00Z", 951_782_400_000_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ])
    func parses(text: String, microseconds: Int64) {
        #expect(Timestamp(rfc3339: text)?.microseconds == microseconds)
    }

    @Test(arguments: [
        "", "2026-11-21", "2026-11-21T10:15:02", "2026-11-21T10:15Z", "2026-11-21T10:15:02.Z",
        "2026-11-21T10:15:02.5", "2026-11-21T10:15:02+0100", "2026-11-21T10:15:02+01",
        "2026-11-21T10:15:02+24:00", "2026-11-21T10:15:02+01:60", "2026-11-21T10:15:02Z ",
        " 2026-11-21T10:15:02Z", "2026-11-21_10:15:02Z", "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:60Z",
        "2016-12-31T22:59:60Z", "2016-12-30T23:59:60Z", "2O26-01-01T00:00:00Z",
        "2026:01-01T00:00:00Z", "2026-01-01T00-00:00Z", "2026-01-01T00:00.00Z",
        "+026-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01", "2026-01-01T00:00:00,5Z", "２026-01-01T00:00:00Z",
        "2026-01-01T0\u{FF}:00:00Z",
    ])
    func refuses(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func everySingleByteChangeIsJudgedLikeTheDigitRule() {
        // The word tricks must agree with the plain rule: each position takes digits or its mark.
        let template = Array("2011-11-11T11:11:11Z".utf8)
        for index in 0..<19 {
            for byte in UInt8.min...UInt8.max {
                var bytes = template
                bytes[index] = byte
                let isDigitPlace = template[index] >= 0x30 && template[index] <= 0x39
                let isMark =
                    template[index] == byte || (index == 10 && (byte == 0x74 || byte == 0x20))
                // SAFETY: bytes are plain data; the array lives for the call.
                let parsed = unsafe Timestamp(rfc3339: bytes.span.bytes)
                if !(isDigitPlace ? (0x30...0x39).contains(byte) : isMark) {
                    #expect(parsed == nil, "byte \(byte) at \(index)")
                } else if !isDigitPlace {
                    #expect(parsed != nil, "byte \(byte) at \(index)")
                }
            }
        }
    }

    @Test func rendersAndParsesBack() {
        var random = SeededGenerator(state: 3)
        for _ in 0..<20_000 {
            let micros = Int64.random(
                in: Timestamp.distantPast.microseconds..<Timestamp.distantFuture.microseconds,
                using: &random)
            let offset = Int.random(in: -1_439...1_439, using: &random) * 60
            let instant = Timestamp(microseconds: micros)
            let text = instant.rfc3339()
            #expect(Timestamp(rfc3339: text) == instant, "\(text)")
            let local = instant.rfc3339(offsetSeconds: offset)
            if !local.hasPrefix("0000"), !local.hasPrefix("10000") {
                #expect(Timestamp(rfc3339: local) == instant, "\(local)")
            }
        }
    }

    @Test func rendersAsAnswersShowIt() throws {
        let instant = try instant("2026-11-21T10:15:02.120Z")
        #expect(instant.rfc3339() == "2026-11-21T10:15:02.120Z")
        #expect(instant.rfc3339(fractionDigits: 0) == "2026-11-21T10:15:02Z")
        #expect(instant.rfc3339(fractionDigits: 1) == "2026-11-21T10:15:02.1Z")
        #expect(instant.rfc3339(offsetSeconds: 3_600) == "2026-11-21T11:15:02.120+01:00")
        #expect(instant.rfc3339(offsetSeconds: -12_600) == "2026-11-21T06:45:02.120-03:30")
        #expect(Timestamp(seconds: 0).rfc3339() == "1970-01-01T00:00:00Z")
        #expect(Timestamp(microseconds: -1).rfc3339() == "1969-12-31T23:59:59.999999Z")
        // Seconds of an old local mean time cannot be written; the instant stays the same.
        let mean = Timestamp(seconds: 0).rfc3339(offsetSeconds: 3_208)
        #expect(mean == "1970-01-01T00:53:00+00:53")
    }

    @Test func datesRoundTripAndWeekdaysRun() {
        var previous = CivilDate(daysSinceEpoch: -800_001)
        for days in -800_000...3_000_000 where days % 7 != 3 || days < -790_000 {
            let date = CivilDate(daysSinceEpoch: days)
            if date.daysSinceEpoch != days || !date.isValid || date <= previous {
                Issue.record("day \(days) became \(date)")
                return
            }
            previous = date
        }
        #expect(CivilDate(year: 1970, month: 1, day: 1).isoWeekday == 4)
        #expect(CivilDate(year: 2026, month: 11, day: 21).isoWeekday == 6)
        #expect(CivilDate(year: 2000, month: 2, day: 28).adding(days: 1).day == 29)
        let january = CivilDate(year: 2024, month: 1, day: 31)
        #expect(january.adding(months: 1) == CivilDate(year: 2024, month: 2, day: 29))
        #expect(january.adding(months: -2) == CivilDate(year: 2023, month: 11, day: 30))
        #expect(january.adding(months: 12 * 76 + 1) == CivilDate(year: 2100, month: 2, day: 28))
    }
}
