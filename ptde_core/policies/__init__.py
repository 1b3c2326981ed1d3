"""Layer 3: teacher and student as policies: what they make of what agents see."""
