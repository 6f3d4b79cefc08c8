import Testing

/// The law is only as good as its eyes: do they see what they should?
@Suite("The tidy tests' own tools") struct TidyToolsTests {
    @Test func commentsAndStringsAreBlanked() {
        let text = """
            let a = "try! // no" // try!
            /* as! /* nested */ as! */ let b = #"say "x" as!"# + c
            let d = "\\(e) \\" try!"
            try! f()
            """
        let code = CodeText.blankingCommentsAndStrings(text)
        #expect(code.split(separator: "\n").count == 4)
        #expect(code.ranges(of: "try!").count == 1)
        #expect(!code.contains("as!"))
        #expect(code.contains("let b = #\""))
        #expect(code.contains("+ c"))
    }

    @Test func multilineStringsAreBlanked() {
        let code = CodeText.blankingCommentsAndStrings(
            "let a = \"\"\"\n    \"as!\" {\n    \"\"\"\nlet b = 1")
        #expect(!code.contains("{"))
        #expect(code.hasSuffix("let b = 1"))
    }

    @Test func functionsAreMeasured() {
        let code = """
            protocol P {
                func none(a: Int) -> Int
                func nothing()
            }
            struct S {
                init(a: Int) { self.a = a }
                func two(
                    a: Int = { 3 }()
                ) -> Int {
                    if a > 0 { return 1 }
                    return 2
                }
            }
            """.split(separator: "\n").map(String.init)
        let spans = FunctionSpan.all(in: code)
        #expect(spans.map(\.name) == ["init", "two"])
        #expect(spans.map(\.length) == [1, 6])
    }

    @Test func importsAreRead() {
        let file = SourceFile(
            path: "x.swift",
            text: """
                package import MeteringModel
                @testable import tollgate
                import struct Foundation.Data
                // import Nothing
                internal import NIOCore
                """)
        #expect(file.imports == ["MeteringModel", "tollgate", "Foundation", "NIOCore"])
    }

    @Test func manifestIsRead() {
        let declared = DeclaredTarget.all(
            in: #"floor("Base/A"), floor( "Core/B", ["A", log, .product(name: "X", package: "y")])"#
        )
        #expect(declared.map(\.path) == ["Base/A", "Core/B"])
        #expect(declared.last?.dependencies.contains("A") == true)
    }
}
