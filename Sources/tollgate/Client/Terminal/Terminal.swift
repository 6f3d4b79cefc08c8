import Foundation

/// Results go to stdout, everything said about them to stderr.
enum Terminal {
    /// Whether stderr is a terminal that can move its cursor.
    static var showsProgress: Bool {
        isatty(2) == 1 && ConnectionOptions.environment("TERM") != "dumb"
    }

    /// Unbuffered, so that a pipe sees each line when it happens. A closed pipe is no error: the
    /// reader has what it wanted.
    static func result(_ text: String) {
        try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8))
    }

    /// The server's JSON as it came, with one line end.
    static func result(json: Data) {
        let text = String(decoding: json, as: UTF8.self)
        result(text.hasSuffix("\n") ? String(text.dropLast()) : text)
    }

    static func message(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
    }

    /// Replaces the terminal's current line.
    static func transient(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data("\r\u{1B}[K\(text)".utf8))
    }
}
