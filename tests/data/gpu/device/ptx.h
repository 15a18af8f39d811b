// An interpreter of PTX, the text that nvcc makes of a kernel: parsed into instructions once, then
// run a thread at a time, and where threads wait for one another a block at a time. As much of it as the
// network, its training and candle's kernels for them use: no calls, no atomics, no shared memory of a
// size that is given at the launch. What it doesn't know is an error when a kernel with it is launched.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace ptx {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Type : uint8_t { Pred, B8, B16, B32, B64, U8, U16, U32, U64, S8, S16, S32, S64, F16, BF16, F32, F64 };

inline Type type_of(const std::string &name) {
  static const std::map<std::string, Type> types = {
      {"pred", Type::Pred}, {"b8", Type::B8},   {"b16", Type::B16}, {"b32", Type::B32},
      {"b64", Type::B64},   {"u8", Type::U8},   {"u16", Type::U16}, {"u32", Type::U32},
      {"u64", Type::U64},   {"s8", Type::S8},   {"s16", Type::S16}, {"s32", Type::S32},
      {"s64", Type::S64},   {"f16", Type::F16}, {"bf16", Type::BF16}, {"f32", Type::F32},
      {"f64", Type::F64}};
  auto found = types.find(name);
  if (found == types.end()) throw Error("type ." + name);
  return found->second;
}

inline bool is_type(const std::string &name) {
  try {
    return type_of(name), true;
  } catch (const Error &) {
    return false;
  }
}

inline int size_of(Type type) {
  switch (type) {
  case Type::Pred: case Type::B8: case Type::U8: case Type::S8: return 1;
  case Type::B16: case Type::U16: case Type::S16: case Type::F16: case Type::BF16: return 2;
  case Type::B32: case Type::U32: case Type::S32: case Type::F32: return 4;
  default: return 8;
  }
}

inline bool is_float(Type type) { return type >= Type::F16; }
inline bool is_signed(Type type) { return type >= Type::S8 && type <= Type::S64; }

// Values lie in registers as their bits, with nothing above them.
inline uint64_t cut(uint64_t bits, Type type) {
  const int size = size_of(type);
  return size == 8 ? bits : bits & ((uint64_t(1) << 8 * size) - 1);
}

inline int64_t extended(uint64_t bits, Type type) {
  const int shift = 64 - 8 * size_of(type);
  return int64_t(bits << shift) >> shift;
}

template <typename To, typename From> To bits_as(From from) {
  To to;
  static_assert(sizeof to == sizeof from);
  memcpy(&to, &from, sizeof to);
  return to;
}

inline float half_to_float(uint16_t h) {
  const uint32_t sign = uint32_t(h & 0x8000) << 16;
  const int exponent = h >> 10 & 31;
  const uint32_t fraction = h & 0x3ff;
  if (exponent == 31) return bits_as<float>(sign | 0x7f800000 | fraction << 13);
  const float size = exponent ? ldexpf(float(fraction | 0x400), exponent - 25) : ldexpf(float(fraction), -24);
  return sign ? -size : size;
}

inline uint16_t float_to_half(float x) {
  const uint16_t sign = bits_as<uint32_t>(x) >> 16 & 0x8000;
  const float size = fabsf(x);
  if (std::isnan(x)) return 0x7fff;
  if (size >= 65520.0f) return sign | 0x7c00;
  int exponent;
  frexpf(size, &exponent);
  // The distance of halves around it; nearest, and even where two are.
  const int step = exponent - 11 < -24 ? -24 : exponent - 11;
  const auto units = uint32_t(nearbyintf(ldexpf(size, -step)));
  if (units == 0) return sign;
  if (step == -24 && units < 0x400) return sign | units;
  // 0x400 units of a step are the least normal number of its exponent; 0x800 carry into the next.
  return sign | uint16_t(((step + 25) << 10) + units - 0x400);
}

inline float bfloat_to_float(uint16_t b) { return bits_as<float>(uint32_t(b) << 16); }

inline uint16_t float_to_bfloat(float x) {
  if (std::isnan(x)) return 0x7fff;
  const auto u = bits_as<uint32_t>(x);
  return uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

inline double to_double(uint64_t bits, Type type) {
  switch (type) {
  case Type::F16: return half_to_float(uint16_t(bits));
  case Type::BF16: return bfloat_to_float(uint16_t(bits));
  case Type::F32: return bits_as<float>(uint32_t(bits));
  case Type::F64: return bits_as<double>(bits);
  default: return is_signed(type) ? double(extended(bits, type)) : double(cut(bits, type));
  }
}

// Rounded to nearest, even where two are.
inline uint64_t from_double(double x, Type type) {
  switch (type) {
  case Type::F16: return float_to_half(float(x));
  case Type::BF16: return float_to_bfloat(float(x));
  case Type::F32: return bits_as<uint32_t>(float(x));
  default: return bits_as<uint64_t>(x);
  }
}

enum class Op : uint8_t {
  Add, Sub, Mul, MulWide, MulHigh, Mad, MadWide, Fma, Div, Rem, Min, Max, Neg, Abs, Not, And, Or, Xor, Shl,
  Shr, Setp, Selp, Mov, Pack, Unpack, Cvt, Load, LoadParam, Store, Branch, Return, Sqrt, Rcp, Ex2, Lg2,
  Rsqrt, LoadShared, StoreShared, Barrier, Shuffle, Unknown
};

enum class Compare : uint8_t { Eq, Ne, Lt, Le, Gt, Ge, Nan, Num };

struct Operand {
  enum Kind : uint8_t { None, Register, Immediate, Special } kind = None;
  uint32_t index = 0; // a register, or which special one
  uint64_t bits = 0;  // an immediate
};

struct Instruction {
  Op op = Op::Unknown;
  Type type = Type::B32, from = Type::B32;
  Compare compare = Compare::Eq;
  bool unordered = false;
  // What is done to a comparison's result with a third operand: 0, '&', '|', '^'.
  char combine = 0;
  // Of a conversion to an integer: how it rounds, 'n', 'z', 'm', 'p'; 's' for saturation beside it.
  char rounding = 'n';
  bool saturate = false;
  // Of a minimum or maximum: not a number is more than any.
  bool nan = false;
  // Of a shuffle: 'u'p, 'd'own, 'b'utterfly, 'i'ndex.
  char mode = 0;
  int lanes = 1;
  int guard = -1;
  bool guard_not = false;
  Operand to[8], from_[8];
  int64_t offset = 0;
  int target = -1;
  std::string text;
};

struct Parameter {
  int offset, size;
};

struct Function {
  std::string name;
  std::vector<Parameter> parameters;
  int parameter_bytes = 0;
  std::vector<Instruction> code;
  int registers = 0;
  int shared_bytes = 0;
  // Its threads wait for one another.
  bool together = false;
  // Why it can't be run.
  std::string refused;
};

// Where a thread is: %tid, %ntid, %ctaid, %nctaid, x to z each.
typedef uint32_t Place[12];

// --- Reading -------------------------------------------------------------------------------

class Parser {
public:
  static std::map<std::string, Function> parse(const std::string &text) {
    Parser parser(text);
    std::map<std::string, Function> functions;
    while (parser.next_entry()) {
      Function function = parser.entry();
      functions[function.name] = function;
    }
    return functions;
  }

  // One of them, which is quicker.
  static Function parse(const std::string &text, const std::string &name) {
    const size_t from = text.find(".entry " + name + "(");
    if (from == std::string::npos) throw Error("no kernel " + name);
    const size_t next = text.find(".entry ", from + 1);
    return parse(text.substr(from, next - from)).at(name);
  }

private:
  std::string text_;
  size_t at_ = 0;
  std::map<std::string, int> registers_;
  std::map<std::string, int> parameters_;
  std::map<std::string, int> labels_;
  std::map<std::string, int> shared_;
  int count_ = 0, parameter_bytes_ = 0;

  explicit Parser(const std::string &text) {
    for (size_t i = 0; i < text.size(); i++) {
      if (text.compare(i, 2, "//") == 0) {
        while (i < text.size() && text[i] != '\n') i++;
        text_ += '\n';
      } else if (text.compare(i, 2, "/*") == 0) {
        i = text.find("*/", i);
        if (i == std::string::npos) break;
        i++;
      } else {
        text_ += text[i];
      }
    }
  }

  bool next_entry() {
    at_ = text_.find(".entry", at_);
    if (at_ == std::string::npos) return false;
    at_ += 6;
    return true;
  }

  static std::string trimmed(const std::string &s) {
    const size_t from = s.find_first_not_of(" \t\n\r"), to = s.find_last_not_of(" \t\n\r");
    return from == std::string::npos ? "" : s.substr(from, to - from + 1);
  }

  static std::vector<std::string> split(const std::string &s, char by) {
    std::vector<std::string> parts;
    std::string part;
    int depth = 0;
    for (char c : s) {
      if (c == '{' || c == '[') depth++;
      if (c == '}' || c == ']') depth--;
      if (c == by && depth == 0) {
        parts.push_back(trimmed(part));
        part.clear();
      } else {
        part += c;
      }
    }
    if (!trimmed(part).empty()) parts.push_back(trimmed(part));
    return parts;
  }

  Function entry() {
    Function function;
    registers_.clear(), parameters_.clear(), labels_.clear(), shared_.clear();
    const size_t open = text_.find('(', at_), close = text_.find(')', open);
    function.name = trimmed(text_.substr(at_, open - at_));
    for (const std::string &line : split(text_.substr(open + 1, close - open - 1), ','))
      parameter(function, line);
    parameter_bytes_ = function.parameter_bytes;
    at_ = text_.find('{', close) + 1;
    std::vector<std::pair<std::string, int>> later;
    // Braces within a function bound the names of registers.
    std::vector<std::map<std::string, int>> outside(1);
    count_ = 0;
    while (!outside.empty()) {
      at_ = text_.find_first_not_of(" \t\n\r", at_);
      if (text_[at_] == '{') {
        at_++;
        outside.push_back(registers_);
        continue;
      }
      if (text_[at_] == '}') {
        at_++;
        registers_ = outside.back();
        outside.pop_back();
        continue;
      }
      const size_t end = text_.find_first_of(";:", at_);
      const bool label = text_[end] == ':';
      const std::string statement = trimmed(text_.substr(at_, end - at_));
      at_ = end + 1;
      if (label) {
        labels_[statement] = int(function.code.size());
      } else if (statement[0] == '.') {
        declaration(function, statement);
      } else {
        function.code.push_back(instruction(statement, later, int(function.code.size())));
        const Instruction &last = function.code.back();
        if (last.op == Op::Unknown && function.refused.empty()) function.refused = last.text;
        function.together |= last.op == Op::Barrier || last.op == Op::Shuffle;
      }
    }
    for (const auto &[name, index] : later) {
      if (labels_.count(name)) function.code[index].target = labels_[name];
      else function.refused = "no label " + name;
    }
    function.registers = count_;
    return function;
  }

  void parameter(Function &function, const std::string &line) {
    // .param .u64 NAME, or .param .align 4 .b8 NAME[36]
    std::string word, name;
    int size = 0, align = 0, count = 1;
    for (size_t i = 0; i < line.size();) {
      size_t end = line.find_first_of(" \t\n", i);
      if (end == std::string::npos) end = line.size();
      word = line.substr(i, end - i);
      i = line.find_first_not_of(" \t\n", end);
      if (i == std::string::npos) i = line.size();
      if (word == ".param" || word.empty()) continue;
      if (word == ".align") { align = -1; continue; }
      if (align == -1) { align = std::stoi(word); continue; }
      if (word[0] == '.' && is_type(word.substr(1))) { size = size_of(type_of(word.substr(1))); continue; }
      if (word[0] != '.') name = word;
    }
    const size_t bracket = name.find('[');
    if (bracket != std::string::npos) {
      count = std::stoi(name.substr(bracket + 1));
      name = name.substr(0, bracket);
    }
    const int alignment = align > 0 ? align : size;
    const int offset = (function.parameter_bytes + alignment - 1) / alignment * alignment;
    parameters_[name] = offset;
    function.parameters.push_back({offset, size * count});
    function.parameter_bytes = offset + size * count;
  }

  int add_register(const std::string &name) {
    return registers_[name] = count_++;
  }

  void declaration(Function &function, const std::string &statement) {
    if (statement.compare(0, 7, ".shared") == 0) {
      // .shared .align 4 .b8 NAME[SIZE]
      const size_t bracket = statement.find('['), name = statement.find_last_of(" \t", bracket) + 1;
      const size_t align = statement.find(".align") + 7;
      const int alignment = std::stoi(statement.substr(align)), size = std::stoi(statement.substr(bracket + 1));
      int &bytes = function.shared_bytes;
      bytes = (bytes + alignment - 1) / alignment * alignment;
      shared_[statement.substr(name, bracket - name)] = bytes;
      bytes += size;
      return;
    }
    if (statement.compare(0, 4, ".reg") != 0) {
      if (statement.compare(0, 7, ".pragma") != 0 && statement.compare(0, 4, ".loc") != 0 &&
          function.refused.empty())
        function.refused = statement;
      return;
    }
    size_t from = statement.find_first_not_of(" \t", 4);
    from = statement.find_first_of(" \t", from);
    for (const std::string &name : split(statement.substr(from), ',')) {
      const size_t angle = name.find('<');
      if (angle == std::string::npos) {
        add_register(name);
        continue;
      }
      const int count = std::stoi(name.substr(angle + 1));
      for (int i = 0; i < count; i++) add_register(name.substr(0, angle) + std::to_string(i));
    }
  }

  Operand operand(const std::string &word, Type type) {
    Operand operand;
    auto found = registers_.find(word);
    if (found != registers_.end()) {
      operand.kind = Operand::Register;
      operand.index = found->second;
      return operand;
    }
    static const std::map<std::string, int> special = {{"%tid", 0}, {"%ntid", 3}, {"%ctaid", 6}, {"%nctaid", 9}};
    const size_t dot = word.find('.');
    if (word[0] == '%' && dot != std::string::npos && special.count(word.substr(0, dot))) {
      operand.kind = Operand::Special;
      operand.index = special.at(word.substr(0, dot)) + (word[dot + 1] - 'x');
      return operand;
    }
    operand.kind = Operand::Immediate;
    if (shared_.count(word)) {
      operand.bits = uint64_t(shared_[word]);
      return operand;
    }
    const char first = word[0];
    if (first == '0' && word.size() == 10 && (word[1] == 'f' || word[1] == 'F')) {
      operand.bits = std::stoul(word.substr(2), nullptr, 16);
    } else if (first == '0' && word.size() == 18 && (word[1] == 'd' || word[1] == 'D')) {
      operand.bits = std::stoull(word.substr(2), nullptr, 16);
      if (type == Type::F32) operand.bits = bits_as<uint32_t>(float(bits_as<double>(operand.bits)));
    } else if (first == '-' || (first >= '0' && first <= '9')) {
      operand.bits = first == '-' ? uint64_t(std::stoll(word, nullptr, 0)) : std::stoull(word, nullptr, 0);
      if (type != Type::Pred) operand.bits = cut(operand.bits, type);
    } else {
      throw Error("operand " + word);
    }
    return operand;
  }

  // The words between braces, or the one word.
  static std::vector<std::string> vector_of(const std::string &word) {
    if (word[0] != '{') return {word};
    return split(word.substr(1, word.size() - 2), ',');
  }

  Instruction instruction(const std::string &statement, std::vector<std::pair<std::string, int>> &later, int index) {
    Instruction i;
    i.text = statement;
    try {
      decode(i, statement, later, index);
    } catch (const std::exception &) {
      i.op = Op::Unknown;
    }
    return i;
  }

  void decode(Instruction &i, std::string rest, std::vector<std::pair<std::string, int>> &later, int index) {
    if (rest[0] == '@') {
      const size_t space = rest.find_first_of(" \t");
      i.guard_not = rest[1] == '!';
      i.guard = registers_.at(rest.substr(i.guard_not ? 2 : 1, space - (i.guard_not ? 2 : 1)));
      rest = trimmed(rest.substr(space));
    }
    size_t space = rest.find_first_of(" \t\n");
    if (space == std::string::npos) space = rest.size();
    const std::vector<std::string> words = split(rest.substr(0, space), '.');
    const std::vector<std::string> operands = split(rest.substr(space), ',');
    const std::string &name = words[0];
    std::vector<Type> types;
    auto has = [&](const char *word) {
      for (const std::string &w : words)
        if (w == word) return true;
      return false;
    };
    for (const std::string &word : words)
      if (is_type(word)) types.push_back(type_of(word));
    if (!types.empty()) i.type = i.from = types[0];
    static const std::set<std::string> understood = {
        "lo", "wide", "hi", "rn", "rni", "rzi", "rmi", "rpi", "ftz", "sat", "NaN", "global", "param", "shared", "to",
        "v2", "v4", "v8", "uni", "full", "approx", "sync", "up", "down", "bfly", "idx", "and", "or", "xor", "nc",
        "aligned", "eq", "ne", "lt", "le", "gt", "ge", "ls", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu", "nan", "num"};
    for (size_t w = 1; w < words.size(); w++)
      if (!is_type(words[w]) && !understood.count(words[w])) throw Error(rest);
    if (has("f16x2") || has("bf16x2") || has("cc") || has("volatile") || has("local") || has("const"))
      throw Error(rest);

    if (name == "bra") {
      i.op = Op::Branch;
      later.push_back({operands[0], index});
      return;
    }
    if (name == "ret" || name == "exit") {
      i.op = Op::Return;
      return;
    }
    if (name == "bar" || name == "barrier") {
      i.op = Op::Barrier;
      return;
    }
    if (name == "shfl") {
      const std::vector<std::string> to = split(operands[0], '|');
      i.op = Op::Shuffle;
      i.mode = words[2][0];
      for (size_t l = 0; l < to.size(); l++) i.to[l] = operand(to[l], Type::B32);
      i.lanes = int(to.size());
      for (int l = 0; l < 3; l++) i.from_[l] = operand(operands[l + 1], Type::B32);
      return;
    }
    if (name == "ld" || name == "st") return memory(i, name, words, operands);
    if (name == "cvt") return conversion(i, words, operands, types);
    if (name == "cvta") {
      if (has("shared")) throw Error(rest);
      i.op = Op::Mov;
      return registers(i, operands, 1);
    }
    if (name == "mov" && (operands[0][0] == '{' || operands[1][0] == '{')) {
      i.op = operands[0][0] == '{' ? Op::Unpack : Op::Pack;
      const std::vector<std::string> parts = vector_of(operands[i.op == Op::Unpack ? 0 : 1]);
      i.lanes = int(parts.size());
      Operand *several = i.op == Op::Unpack ? i.to : i.from_;
      for (int l = 0; l < i.lanes; l++) several[l] = operand(parts[l], Type::B64);
      (i.op == Op::Unpack ? i.from_ : i.to)[0] = operand(operands[i.op == Op::Unpack ? 1 : 0], i.type);
      return;
    }
    if (name == "setp") return comparison(i, words, operands);

    struct Known { Op op; int inputs; };
    static const std::map<std::string, Known> known = {
        {"add", {Op::Add, 2}}, {"sub", {Op::Sub, 2}}, {"div", {Op::Div, 2}}, {"rem", {Op::Rem, 2}},
        {"min", {Op::Min, 2}}, {"max", {Op::Max, 2}}, {"neg", {Op::Neg, 1}}, {"abs", {Op::Abs, 1}},
        {"not", {Op::Not, 1}}, {"and", {Op::And, 2}}, {"or", {Op::Or, 2}}, {"xor", {Op::Xor, 2}},
        {"shl", {Op::Shl, 2}}, {"shr", {Op::Shr, 2}}, {"selp", {Op::Selp, 3}}, {"mov", {Op::Mov, 1}},
        {"fma", {Op::Fma, 3}}, {"sqrt", {Op::Sqrt, 1}}, {"rcp", {Op::Rcp, 1}}, {"ex2", {Op::Ex2, 1}},
        {"lg2", {Op::Lg2, 1}}, {"rsqrt", {Op::Rsqrt, 1}}};
    if (name == "mul") {
      i.op = has("wide") ? Op::MulWide : has("hi") ? Op::MulHigh : Op::Mul;
      return registers(i, operands, 2);
    }
    if (name == "mad") {
      i.op = has("wide") ? Op::MadWide : has("hi") ? Op::Unknown : Op::Mad;
      return registers(i, operands, 3);
    }
    auto found = known.find(name);
    if (found == known.end()) throw Error(rest);
    i.op = found->second.op;
    i.saturate = has("sat");
    i.nan = has("NaN");
    registers(i, operands, found->second.inputs);
  }

  void registers(Instruction &i, const std::vector<std::string> &operands, int inputs) {
    if (int(operands.size()) != inputs + 1) throw Error(i.text);
    i.to[0] = operand(operands[0], i.type);
    for (int k = 0; k < inputs; k++) {
      const bool wide = i.op == Op::MadWide && k == 2;
      i.from_[k] = operand(operands[k + 1], wide ? Type::B64 : i.type);
    }
  }

  void memory(Instruction &i, const std::string &name, const std::vector<std::string> &words,
              const std::vector<std::string> &operands) {
    const bool load = name == "ld";
    bool parameter = false, shared = false;
    for (const std::string &word : words) {
      if (word == "v2") i.lanes = 2;
      if (word == "v4") i.lanes = 4;
      if (word == "v8") i.lanes = 8;
      if (word == "param") parameter = true;
      if (word == "shared") shared = true;
    }
    if (parameter && !load) throw Error(i.text);
    const std::vector<std::string> values = vector_of(operands[load ? 1 - 1 : 1]);
    if (int(values.size()) != i.lanes) throw Error(i.text);
    for (int l = 0; l < i.lanes; l++) (load ? i.to : i.from_)[l] = operand(values[l], i.type);
    std::string address = operands[load ? 1 : 0];
    address = address.substr(1, address.size() - 2);
    const size_t plus = address.find('+');
    if (plus != std::string::npos) {
      i.offset = std::stoll(address.substr(plus + 1));
      address = trimmed(address.substr(0, plus));
    }
    if (parameter) {
      i.op = Op::LoadParam;
      i.offset += parameters_.at(address);
      const int size = size_of(i.type) * i.lanes;
      if (i.offset % size || i.offset + size > parameter_bytes_) throw Error(i.text);
      return;
    }
    i.op = shared ? (load ? Op::LoadShared : Op::StoreShared) : load ? Op::Load : Op::Store;
    (load ? i.from_ : i.to)[0] = operand(address, Type::U64);
  }

  void conversion(Instruction &i, const std::vector<std::string> &words, const std::vector<std::string> &operands,
                  const std::vector<Type> &types) {
    i.op = Op::Cvt;
    if (types.size() != 2 || operands.size() != 2) throw Error(i.text);
    i.type = types[0], i.from = types[1];
    for (const std::string &word : words) {
      if (word == "rzi") i.rounding = 'z';
      if (word == "rmi") i.rounding = 'm';
      if (word == "rpi") i.rounding = 'p';
      if (word == "sat") i.saturate = true;
    }
    i.to[0] = operand(operands[0], i.type);
    i.from_[0] = operand(operands[1], i.from);
  }

  void comparison(Instruction &i, const std::vector<std::string> &words, const std::vector<std::string> &operands) {
    static const std::map<std::string, std::pair<Compare, bool>> compares = {
        {"eq", {Compare::Eq, false}}, {"ne", {Compare::Ne, false}}, {"lt", {Compare::Lt, false}},
        {"le", {Compare::Le, false}}, {"gt", {Compare::Gt, false}}, {"ge", {Compare::Ge, false}},
        {"lo", {Compare::Lt, false}}, {"ls", {Compare::Le, false}}, {"hi", {Compare::Gt, false}},
        {"hs", {Compare::Ge, false}}, {"equ", {Compare::Eq, true}}, {"neu", {Compare::Ne, true}},
        {"ltu", {Compare::Lt, true}}, {"leu", {Compare::Le, true}}, {"gtu", {Compare::Gt, true}},
        {"geu", {Compare::Ge, true}}, {"nan", {Compare::Nan, true}}, {"num", {Compare::Num, false}}};
    i.op = Op::Setp;
    std::tie(i.compare, i.unordered) = compares.at(words[1]);
    for (const std::string &word : words)
      if (word == "and") i.combine = '&';
      else if (word == "or") i.combine = '|';
      else if (word == "xor") i.combine = '^';
    if (operands[0].find('|') != std::string::npos) throw Error(i.text);
    registers(i, operands, i.combine ? 3 : 2);
  }
};

// --- Running -------------------------------------------------------------------------------

// Gives the memory behind an address of the device, so many bytes of it.
typedef std::function<char *(uint64_t, int)> Memory;

// Why a thread stopped.
enum class Stop { Done, Barrier, Shuffle };

class Thread {
public:
  Thread(const Function &function, const char *parameters, Memory &memory, std::vector<char> &shared)
      : function_(function), parameters_(parameters), memory_(memory), shared_(shared), registers_(function.registers) {}

  // Puts it before the first instruction.
  void begin(const Place &place) {
    memcpy(place_, place, sizeof place_);
    at_ = 0;
    // What is read before it is written shows.
    std::fill(registers_.begin(), registers_.end(), ~uint64_t(0));
  }

  // From where it is to the end, or to where it has to wait for others; how many instructions it ran is
  // added to `count`.
  Stop run(uint64_t &count) {
    const int size = int(function_.code.size());
    while (at_ < size) {
      const Instruction &i = function_.code[at_++];
      count++;
      if (i.guard >= 0 && bool(registers_[i.guard]) == i.guard_not) continue;
      switch (i.op) {
      case Op::Return: at_ = size; break;
      case Op::Branch: at_ = i.target; break;
      case Op::Barrier: return Stop::Barrier;
      case Op::Shuffle: return Stop::Shuffle;
      default: execute(i, place_);
      }
    }
    return Stop::Done;
  }

  // What a shuffle that it stopped at gives to the others, and takes from one of them.
  uint64_t given() const { return get(waiting().from_[0], place_); }
  // Which thread of the warp it takes from, itself where that is not one of them.
  int source(int lane, bool &inside) const {
    const Instruction &i = waiting();
    const int b = int(get(i.from_[1], place_)) & 31, c = int(get(i.from_[2], place_));
    const int segment = c >> 8 & 31, most = (lane & segment) | (c & 31 & ~segment);
    int from = i.mode == 'u' ? lane - b : i.mode == 'd' ? lane + b : i.mode == 'b' ? lane ^ b : (lane & segment) | (b & ~segment);
    inside = i.mode == 'u' ? from >= most : from <= most;
    return inside ? from : lane;
  }
  void take(uint64_t bits, bool inside) {
    set(waiting().to[0], bits);
    if (waiting().lanes > 1) set(waiting().to[1], inside);
  }

private:
  const Function &function_;
  const char *parameters_;
  Memory &memory_;
  std::vector<char> &shared_;
  std::vector<uint64_t> registers_;
  Place place_;
  int at_ = 0;

  const Instruction &waiting() const { return function_.code[at_ - 1]; }

  uint64_t get(const Operand &operand, const Place &place) const {
    switch (operand.kind) {
    case Operand::Register: return registers_[operand.index];
    case Operand::Special: return place[operand.index];
    default: return operand.bits;
    }
  }

  void set(const Operand &operand, uint64_t bits) { registers_[operand.index] = bits; }

  void execute(const Instruction &i, const Place &place) {
    const uint64_t a = get(i.from_[0], place), b = get(i.from_[1], place), c = get(i.from_[2], place);
    switch (i.op) {
    case Op::Load: case Op::LoadParam: case Op::LoadShared: {
      const int size = size_of(i.type);
      const char *from = i.op == Op::Load         ? at(a + i.offset, size * i.lanes)
                         : i.op == Op::LoadShared ? within(a + i.offset, size * i.lanes)
                                                  : parameters_ + i.offset;
      for (int l = 0; l < i.lanes; l++) {
        uint64_t bits = 0;
        memcpy(&bits, from + l * size, size);
        // A register may be wider than what is loaded.
        set(i.to[l], is_signed(i.type) ? uint64_t(extended(bits, i.type)) : bits);
      }
      return;
    }
    case Op::Store: case Op::StoreShared: {
      const int size = size_of(i.type);
      const uint64_t address = get(i.to[0], place) + i.offset;
      char *to = i.op == Op::Store ? at(address, size * i.lanes) : within(address, size * i.lanes);
      for (int l = 0; l < i.lanes; l++) {
        const uint64_t bits = get(i.from_[l], place);
        memcpy(to + l * size, &bits, size);
      }
      return;
    }
    case Op::Setp: return set(i.to[0], compared(i, a, b, c));
    case Op::Selp: return set(i.to[0], c ? a : b);
    case Op::Mov: return set(i.to[0], a);
    case Op::Pack: {
      const int bits = 8 * size_of(i.type) / i.lanes;
      uint64_t whole = 0;
      for (int l = 0; l < i.lanes; l++)
        whole |= (get(i.from_[l], place) & ((uint64_t(1) << bits) - 1)) << l * bits;
      return set(i.to[0], whole);
    }
    case Op::Unpack: {
      const int bits = 8 * size_of(i.type) / i.lanes;
      for (int l = 0; l < i.lanes; l++) set(i.to[l], a >> l * bits & ((uint64_t(1) << bits) - 1));
      return;
    }
    case Op::Cvt: return set(i.to[0], converted(i, a));
    default:
      set(i.to[0], is_float(i.type) ? floats(i, a, b, c) : integers(i, a, b, c));
    }
  }

  char *at(uint64_t address, int size) {
    if (address % size) throw Error("misaligned address in " + function_.name);
    char *memory = memory_(address, size);
    if (!memory) throw Error("access out of bounds in " + function_.name);
    return memory;
  }

  // Shared memory.
  char *within(uint64_t address, int size) {
    if (address % size || address + size > shared_.size())
      throw Error("shared memory out of bounds in " + function_.name);
    return shared_.data() + address;
  }

  static bool compared(const Instruction &i, uint64_t a, uint64_t b, uint64_t c) {
    auto compare = [&](auto x, auto y) {
      switch (i.compare) {
      case Compare::Eq: return x == y;
      case Compare::Ne: return x != y;
      case Compare::Lt: return x < y;
      case Compare::Le: return x <= y;
      case Compare::Gt: return x > y;
      default: return x >= y;
      }
    };
    bool result;
    if (is_float(i.type)) {
      const double x = to_double(a, i.type), y = to_double(b, i.type);
      const bool unordered = std::isnan(x) || std::isnan(y);
      if (i.compare == Compare::Nan || i.compare == Compare::Num) result = unordered == i.unordered;
      else result = unordered ? i.unordered : compare(x, y);
    } else if (is_signed(i.type)) {
      result = compare(extended(a, i.type), extended(b, i.type));
    } else {
      result = compare(cut(a, i.type), cut(b, i.type));
    }
    if (i.combine == '&') return result && c;
    if (i.combine == '|') return result || c;
    return i.combine == '^' ? result != bool(c) : result;
  }

  uint64_t converted(const Instruction &i, uint64_t a) const {
    auto rounded = [&](double x) {
      switch (i.rounding) {
      case 'z': return trunc(x);
      case 'm': return floor(x);
      case 'p': return ceil(x);
      default: return nearbyint(x);
      }
    };
    if (is_float(i.type)) {
      double x = to_double(a, i.from);
      if (is_float(i.from) && i.text.find("i.f") != std::string::npos) x = rounded(x);
      // 64 bits to a float by way of a double would round twice.
      if (i.type == Type::F32 && !is_float(i.from))
        return bits_as<uint32_t>(is_signed(i.from) ? float(extended(a, i.from)) : float(cut(a, i.from)));
      if (i.saturate) x = std::isnan(x) ? 0 : fmin(fmax(x, 0), 1);
      return from_double(x, i.type);
    }
    const int bits = 8 * size_of(i.type);
    if (is_float(i.from)) {
      const double x = rounded(to_double(a, i.from));
      const double least = is_signed(i.type) ? -ldexp(1, bits - 1) : 0;
      const double most = ldexp(1, is_signed(i.type) ? bits - 1 : bits);
      if (std::isnan(x)) return 0;
      if (x <= least) return cut(uint64_t(int64_t(least)), i.type);
      if (x >= most) return is_signed(i.type) ? (uint64_t(1) << (bits - 1)) - 1 : cut(~uint64_t(0), i.type);
      return cut(is_signed(i.type) ? uint64_t(int64_t(x)) : uint64_t(x), i.type);
    }
    if (i.saturate) throw Error(i.text);
    return cut(is_signed(i.from) ? uint64_t(extended(a, i.from)) : cut(a, i.from), i.type);
  }

  uint64_t floats(const Instruction &i, uint64_t a, uint64_t b, uint64_t c) const {
    // A float's operations in a double, rounded to a float, are those of floats (but for fma).
    const double x = to_double(a, i.type), y = to_double(b, i.type);
    double z;
    switch (i.op) {
    case Op::Add: z = x + y; break;
    case Op::Sub: z = x - y; break;
    case Op::Mul: z = x * y; break;
    case Op::Div: z = x / y; break;
    case Op::Fma:
    case Op::Mad:
      if (i.type == Type::F32)
        return bits_as<uint32_t>(fmaf(float(x), float(y), float(to_double(c, i.type))));
      z = fma(x, y, to_double(c, i.type));
      break;
    case Op::Min: z = i.nan && (std::isnan(x) || std::isnan(y)) ? x + y : fmin(x, y); break;
    case Op::Max: z = i.nan && (std::isnan(x) || std::isnan(y)) ? x + y : fmax(x, y); break;
    case Op::Neg: z = -x; break;
    case Op::Abs: z = fabs(x); break;
    case Op::Sqrt: z = sqrt(x); break;
    case Op::Rcp: z = 1 / x; break;
    case Op::Rsqrt: z = 1 / sqrt(x); break;
    case Op::Ex2: z = exp2(x); break;
    case Op::Lg2: z = log2(x); break;
    default: throw Error(i.text);
    }
    if (i.saturate) z = std::isnan(z) ? 0 : fmin(fmax(z, 0), 1);
    return from_double(z, i.type);
  }

  uint64_t integers(const Instruction &i, uint64_t a, uint64_t b, uint64_t c) const {
    const bool sign = is_signed(i.type);
    const int64_t x = extended(a, i.type), y = extended(b, i.type);
    const uint64_t u = cut(a, i.type), v = cut(b, i.type);
    const uint64_t bits = 8 * size_of(i.type);
    switch (i.op) {
    case Op::Add: return cut(a + b, i.type);
    case Op::Sub: return cut(a - b, i.type);
    case Op::Mul: return cut(a * b, i.type);
    case Op::Mad: return cut(a * b + c, i.type);
    case Op::MulWide: case Op::MadWide: {
      const uint64_t product = sign ? uint64_t(x * y) : u * v;
      const uint64_t sum = i.op == Op::MadWide ? product + c : product;
      return bits == 32 ? sum : sum & 0xffffffff;
    }
    case Op::MulHigh:
      return cut(sign ? uint64_t(__int128(x) * y >> bits) : uint64_t((unsigned __int128)(u)*v >> bits), i.type);
    case Op::Div:
      if (v == 0) return cut(~uint64_t(0), i.type);
      return cut(sign ? uint64_t(x / y) : u / v, i.type);
    case Op::Rem:
      if (v == 0) return u;
      return cut(sign ? uint64_t(x % y) : u % v, i.type);
    case Op::Min: return sign ? cut(uint64_t(x < y ? x : y), i.type) : (u < v ? u : v);
    case Op::Max: return sign ? cut(uint64_t(x > y ? x : y), i.type) : (u > v ? u : v);
    case Op::Neg: return cut(uint64_t(-x), i.type);
    case Op::Abs: return cut(uint64_t(x < 0 ? -x : x), i.type);
    case Op::Not: return i.type == Type::Pred ? !a : cut(~a, i.type);
    case Op::And: return a & b;
    case Op::Or: return a | b;
    case Op::Xor: return a ^ b;
    case Op::Shl: return b >= bits ? 0 : cut(a << b, i.type);
    case Op::Shr:
      if (sign) return cut(uint64_t(x >> (b >= bits ? bits - 1 : b)), i.type);
      return b >= bits ? 0 : u >> b;
    default: throw Error(i.text);
    }
  }
};

// Runs a grid; returns how many instructions that took.
inline uint64_t run(const Function &function, const char *parameters, Memory &memory, const uint32_t (&grid)[3],
                    const uint32_t (&block)[3]) {
  uint64_t count = 0;
  std::vector<char> shared(function.shared_bytes);
  const uint32_t size = block[0] * block[1] * block[2];
  std::vector<Thread> threads(function.together ? size : 1, Thread(function, parameters, memory, shared));
  std::vector<Stop> stopped(threads.size());
  Place place = {0, 0, 0, block[0], block[1], block[2], 0, 0, 0, grid[0], grid[1], grid[2]};
  auto begin = [&](uint32_t number, Thread &thread) {
    place[0] = number % block[0], place[1] = number / block[0] % block[1], place[2] = number / block[0] / block[1];
    thread.begin(place);
  };
  // Those of a warp that wait for one another hand on what they have.
  auto shuffle = [&](uint32_t first) {
    const uint32_t last = std::min(first + 32, size);
    std::vector<uint64_t> given;
    for (uint32_t t = first; t < last; t++) given.push_back(stopped[t] == Stop::Shuffle ? threads[t].given() : 0);
    for (uint32_t t = first; t < last; t++) {
      if (stopped[t] != Stop::Shuffle) continue;
      bool inside;
      const uint32_t from = threads[t].source(int(t - first), inside);
      threads[t].take(from < given.size() ? given[from] : 0, inside);
      stopped[t] = threads[t].run(count);
    }
  };
  for (place[8] = 0; place[8] < grid[2]; place[8]++)
    for (place[7] = 0; place[7] < grid[1]; place[7]++)
      for (place[6] = 0; place[6] < grid[0]; place[6]++) {
        if (!function.together) {
          for (uint32_t t = 0; t < size; t++) begin(t, threads[0]), threads[0].run(count);
          continue;
        }
        std::fill(shared.begin(), shared.end(), char(0xff));
        for (uint32_t t = 0; t < size; t++) begin(t, threads[t]), stopped[t] = threads[t].run(count);
        for (bool running = true; running;) {
          bool at_barrier = true;
          running = false;
          for (uint32_t t = 0; t < size; t++) {
            running |= stopped[t] != Stop::Done;
            at_barrier &= stopped[t] != Stop::Shuffle;
          }
          for (uint32_t t = 0; t < size && !at_barrier; t += 32) shuffle(t);
          for (uint32_t t = 0; t < size && at_barrier; t++)
            if (stopped[t] == Stop::Barrier) stopped[t] = threads[t].run(count);
        }
      }
  return count;
}

} // namespace ptx
