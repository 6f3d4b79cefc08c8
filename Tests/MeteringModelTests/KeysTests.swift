import MeteringModel
import Testing

@Suite("Identifiers") struct KeysTests {
    private static let pairs: [(String, String)] = [
        ("\u{E9}x", "e\u{301}x"), ("K", "\u{212A}"), (";", "\u{37E}"),
        ("a\u{323}\u{307}", "a\u{307}\u{323}"),
    ]

    @Test(arguments: pairs) func sameTextOfOtherBytesIsAnotherIdentifier(pair: (String, String)) {
        #expect(pair.0 == pair.1)
        let (left, right) = (CustomerID(rawValue: pair.0), CustomerID(rawValue: pair.1))
        #expect(!(left == right))
        #expect(left != right)
        #expect((left < right) != (right < left))
        #expect(Set([left, right]).count == 2)
        let named = [left: 1, right: 2]
        #expect(named[left] == 1)
        #expect(named[right] == 2)
        func isEqual<Key: Equatable>(_ one: Key, _ other: Key) -> Bool { one == other }
        #expect(!isEqual(left, right))
        #expect(isEqual(left, CustomerID(rawValue: pair.0)))
        #expect(isEqual([left: right], [left: right]))
        #expect(!isEqual([left], [right]))
    }
}
