import Foundation
import Testing

@testable import tollgate

@Suite("What people read") struct TextTests {
    @Test func tablesAreAligned() {
        var table = TextTable([("NAME", .left), ("N", .right), ("X", .left)])
        table.add(["a", "1,000", ""])
        table.add(["long name", "2"])
        #expect(
            table.text == """
                NAME           N  X
                a          1,000  -
                long name      2  -
                """)
    }

    @Test func controlSequencesStayOut() {
        #expect(TextTable.printable("a\u{1B}[31mb\n") == "a\u{FFFD}[31mb\u{FFFD}")
    }

    @Test(
        arguments: [
            ("0", "0"), ("999", "999"), ("1000", "1,000"), ("-1234567.50", "-1,234,567.50"),
            ("unlimited", "unlimited"), ("", ""), ("-", "-"),
        ])
    func numbersAreGrouped(plain: String, grouped: String) {
        #expect(TextTable.grouped(plain) == grouped)
    }

    @Test(
        arguments: [
            ("0.8", "80.0 %"), ("0.8123", "81.2 %"), ("0.9999", "99.9 %"), ("12.5", "1,250.0 %"),
            ("1", "100.0 %"), ("0", "0.0 %"), ("much", "much"),
            // As signals say it of the same numbers (SignalTextTests).
            ("1.6515", "165.2 %"), ("1.6514", "165.1 %"), ("0.7996", "79.9 %"),
        ])
    func sharesAreRoundedAsEverywhere(share: String, percent: String) {
        #expect(NearLimitCommand.percent(share) == percent)
    }

    @Test func progressLine() {
        let line = ProgressReport.line(done: 500, total: 2_000, seconds: 2, withBar: true)
        #expect(line == "[#######-----------------------] 25 %  500 of 2,000 events  250 events/s")
    }

    @Test func eventDataFromFlags() {
        #expect(EventsSendCommand.member("a=1.50").value == .number("1.50"))
        #expect(EventsSendCommand.member("a=true").value == .bool(true))
        #expect(EventsSendCommand.member("a=\"12\"").value == .string("12"))
        #expect(EventsSendCommand.member("a=x=y").value == .string("x=y"))
    }

    @Test func jsonKeepsDigits() throws {
        let text = #"{"a":[1,true,null,"x\n\"\\"],"big":9007199254740993,"c":0.10000000000000001}"#
        let value = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        #expect(value.text == text)
        #expect(JSONValue.string("\u{1}ü").text == "\"\\u0001ü\"")
    }

    @Test func badLinesStayOutOfABatch() {
        let lines = NDJSONLine.split(Data("{\"a\":1}\r\n\nnope\n[1]\n{\"b\":2}".utf8))
        #expect(lines.map(\.number) == [1, 3, 4, 5])
        let good = lines.compactMap { try? $0.event.get() }
        #expect(good == ["{\"a\":1}", "{\"b\":2}"])
    }

    @Test(arguments: [(401, CommandExit.notAuthorized), (403, .notAuthorized), (404, .badInput)])
    func refusalsHaveExitCodes(status: Int, expected: CommandExit) {
        let reply = APIReply(status: status, retryAfterSeconds: nil, body: Data())
        #expect(Problem(reply).failure.status == expected)
    }

    @Test func problemDocumentsAreRead() {
        let body = #"{"title":"Overloaded","detail":"try later","status":503}"#
        let reply = APIReply(status: 503, retryAfterSeconds: 1, body: Data(body.utf8))
        #expect(Problem(reply).failure.message == "Overloaded: try later")
        #expect(Problem(reply).failure.status == .retryLater)
    }

    @Test func pathsAreEncoded() {
        #expect(APIClient.percentEncoded("a/b?c=ü &-._~") == "a%2Fb%3Fc%3D%C3%BC%20%26-._~")
    }
}
