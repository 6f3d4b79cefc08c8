import MeteringModel
import Testing

@testable import tollgate

@Suite("Times of traces") struct TraceTimeTests {
    @Test(
        arguments: [
            ("2023-11-16 18:17:03.9799600", 1_700_158_623_979_960),
            ("2023-11-16T18:17:03.97996Z", 1_700_158_623_979_960),
            ("2023-11-16t19:17:03.97996+01:00", 1_700_158_623_979_960),
            ("2023-11-16T12:47:03-05:30", 1_700_158_623_000_000),
            ("1700158623", 1_700_158_623_000_000), ("1700158623.25", 1_700_158_623_250_000),
            ("-1.5", -1_500_000), ("0", 0), ("2024-02-29 00:00:00", 1_709_164_800_000_000),
            ("1969-12-31T23:59:59.999999Z", -1),
        ] as [(String, Int64)])
    func parses(text: String, microseconds: Int64) {
        #expect(TraceTime.parse(text)?.microseconds == microseconds)
    }

    @Test(
        arguments: [
            "", "now", "2023-02-29 00:00:00", "2023-13-01 00:00:00", "2023-11-16 24:00:00",
            "2023-11-16", "2023-11-16T18:17:03.Z", "2023-11-16T18:17:03+1", "1e9", "1.",
            "1700158623000000", "2023-11-16 18:17:03 UTC", "0x10", " 1",
        ])
    func refuses(text: String) {
        #expect(TraceTime.parse(text) == nil)
    }

    @Test(
        arguments: [
            "1970-01-01T00:00:00Z", "2024-02-29T23:59:59.000001Z", "2000-03-01T00:00:00Z",
            "1969-12-31T23:59:59.500000Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
        ])
    func printsWhatItReads(text: String) throws {
        let time = try #require(TraceTime.parse(text))
        #expect(TraceTime.text(time) == text)
    }
}
