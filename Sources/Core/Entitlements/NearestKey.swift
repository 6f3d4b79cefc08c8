/// Guesses which known word a mistyped one was meant to be.
package enum NearestKey {
    /// Looking through more words than this is not worth the time of an error message.
    private static let candidatesMax = 1_000

    /// ` (did you mean "tokens"?)`, or nothing when no known word is near.
    package static func hint(for word: String, in known: some Sequence<String>) -> String {
        guard let nearest = nearest(to: word, in: known) else { return "" }
        return "; did you mean \"\(nearest)\"?"
    }

    /// The known word with the fewest changed letters, if a third of the letters suffice.
    package static func nearest(
        to word: String, in known: some Sequence<String>
    ) -> String? {
        let letters = Array(word.utf8.prefix(64))
        var best: (distance: Int, word: String)?
        for candidate in known.prefix(candidatesMax) {
            let distance = distance(letters, Array(candidate.utf8.prefix(64)))
            if let found = best, (found.distance, found.word) <= (distance, candidate) { continue }
            best = (distance, candidate)
        }
        guard let best, best.distance <= max(1, letters.count / 3) else { return nil }
        return best.word
    }

    /// Letters to insert, delete or replace (Levenshtein), case aside.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let isSame = a | 0x20 == b | 0x20
                let replaced = diagonal + (isSame ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}
