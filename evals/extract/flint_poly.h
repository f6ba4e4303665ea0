// Owners for FLINT's integer polynomials in several variables and for Arb's real balls.
#pragma once

#ifdef ASSAY_SEPARATE_ARB
#include <arb.h>
#else
#include <flint/arb.h>
#endif
#include <flint/fmpz.h>
#include <flint/fmpz_mpoly.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace assay::evals {

constexpr slong kPolyVariables = 32;

/// Shared by all; read-only after its construction.
inline const fmpz_mpoly_ctx_struct* poly_context() {
  static const fmpz_mpoly_ctx_struct* context = [] {
    static fmpz_mpoly_ctx_t made;
    fmpz_mpoly_ctx_init(made, kPolyVariables, ORD_LEX);
    return &made[0];
  }();
  return context;
}

class Integer {
 public:
  Integer() { fmpz_init(value_); }
  explicit Integer(slong value) { fmpz_init_set_si(value_, value); }
  Integer(const Integer& other) { fmpz_init_set(value_, other.value_); }
  Integer& operator=(const Integer& other) {
    fmpz_set(value_, other.value_);
    return *this;
  }
  ~Integer() { fmpz_clear(value_); }
  fmpz* get() { return value_; }
  const fmpz* get() const { return value_; }

 private:
  fmpz_t value_;
};

class Poly {
 public:
  Poly() { fmpz_mpoly_init(value_, poly_context()); }
  explicit Poly(slong constant) : Poly() { fmpz_mpoly_set_si(value_, constant, poly_context()); }
  explicit Poly(const Integer& constant) : Poly() {
    fmpz_mpoly_set_fmpz(value_, constant.get(), poly_context());
  }
  Poly(const Poly& other) : Poly() { fmpz_mpoly_set(value_, other.value_, poly_context()); }
  Poly(Poly&& other) noexcept : Poly() { fmpz_mpoly_swap(value_, other.value_, poly_context()); }
  Poly& operator=(const Poly& other) {
    fmpz_mpoly_set(value_, other.value_, poly_context());
    return *this;
  }
  Poly& operator=(Poly&& other) noexcept {
    fmpz_mpoly_swap(value_, other.value_, poly_context());
    return *this;
  }
  ~Poly() { fmpz_mpoly_clear(value_, poly_context()); }

  fmpz_mpoly_struct* get() { return value_; }
  const fmpz_mpoly_struct* get() const { return value_; }
  bool zero() const { return fmpz_mpoly_is_zero(value_, poly_context()) != 0; }
  bool constant() const { return fmpz_mpoly_is_fmpz(value_, poly_context()) != 0; }
  slong terms() const { return fmpz_mpoly_length(value_, poly_context()); }
  Integer integer() const {
    Integer out;
    fmpz_mpoly_get_fmpz(out.get(), value_, poly_context());
    return out;
  }
  friend bool operator==(const Poly& a, const Poly& b) {
    return fmpz_mpoly_equal(a.value_, b.value_, poly_context()) != 0;
  }

 private:
  fmpz_mpoly_t value_;
};

class Ball {
 public:
  Ball() { arb_init(value_); }
  ~Ball() { arb_clear(value_); }
  Ball(const Ball&) = delete;
  Ball& operator=(const Ball&) = delete;
  arb_struct* get() { return value_; }

 private:
  arb_t value_;
};

}  // namespace assay::evals
