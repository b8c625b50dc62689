static class Benchmarks { static void Main() { } }
